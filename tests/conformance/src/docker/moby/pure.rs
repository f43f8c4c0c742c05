//! The predicates by themselves.

use layerwise::docker::Order;
use layerwise::error::Error;
use layerwise::go_json::{Timestamp, Zone};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Functions;
use super::format::{
    Compare, ComparePlatform, ConfigJson, Entries, HistoryEqual, ImageJson, LayerFor, Matrix,
    Newest, Normalize, Pure, Time, ValidConfig, ValidParent,
};
use crate::{Case, Report};

/// Runs every entry; each cell of a matrix counts as a case.
pub fn run(pure: &Pure<'_>, subject: &dyn Functions, report: &mut Report) {
    let newest = Semantics::compatible(None);
    let each = |report: &mut Report,
                kind: &str,
                index: usize,
                name: &str,
                body: &dyn Fn(&mut Case<'_>)| {
        report.case(&format!("{kind}[{index}] {name}"), body);
    };
    for (i, Compare { name, a, b, equal }) in at(&read(report, "compare", &pure.compare)) {
        each(report, "compare", i, name, &|check| {
            let got = subject.compare_configs(a.map(RawValue::get), b.map(RawValue::get), &newest);
            check.equal("equal", &Ok(*equal), &got.map(|c| c.equal));
        });
    }
    for (
        i,
        ComparePlatform {
            builder,
            image,
            matches,
        },
    ) in at(&read(report, "compare_platform", &pure.compare_platform))
    {
        each(report, "compare_platform", i, "", &|check| {
            let got = subject.match_platforms(&[builder.into()], &[image.into()], "linux", &newest);
            check.equal("match", &Ok(vec![vec![*matches]]), &got);
        });
    }
    for matrix in &pure.compare_platform_matrix {
        run_matrix(matrix, subject, &newest, report);
    }
    for (i, Normalize { input, out }) in at(&read(
        report,
        "normalize_platform",
        &pure.normalize_platform,
    )) {
        each(report, "normalize_platform", i, "", &|check| {
            let got = subject.normalize_platform(&input.into(), "linux");
            check.equal("out", &Ok(Platform::from(out)), &got);
        });
    }
    for (
        i,
        ValidParent {
            name,
            image,
            parent,
            valid,
            panic,
        },
    ) in at(&read(report, "is_valid_parent", &pure.is_valid_parent))
    {
        each(report, "is_valid_parent", i, name, &|check| {
            let got = subject.compare_parent(image.get(), parent.map(RawValue::get), &newest);
            expect_or_refuse(check, *panic, *valid, got.map(|finding| finding.is_none()));
        });
    }
    for (
        i,
        ValidConfig {
            config,
            history,
            valid,
            panic,
        },
    ) in at(&read(report, "is_valid_config", &pure.is_valid_config))
    {
        each(report, "is_valid_config", i, "", &|check| {
            let config = config.map_or("null", RawValue::get);
            let got = subject.compare_command(history.get(), config, &newest);
            expect_or_refuse(check, *panic, *valid, got.map(|finding| finding.is_none()));
        });
    }
    for (
        i,
        LayerFor {
            image,
            index,
            diff_id,
            panic,
        },
    ) in at(&read(
        report,
        "layer_for_history_index",
        &pure.layer_for_history_index,
    )) {
        each(report, "layer_for_history_index", i, "", &|check| {
            // Every place that is none means the same, negative ones too.
            let index = u32::try_from(*index).unwrap_or(u32::MAX);
            let got = subject.layer_of(image.get(), index, &newest);
            let want = diff_id.clone().filter(|id| !id.is_empty());
            expect_or_refuse(check, *panic, want, got);
        });
    }
    for (
        i,
        HistoryEqual {
            a,
            b,
            equal,
            fields,
        },
    ) in at(&read(report, "history_equal", &pure.history_equal))
    {
        each(report, "history_equal", i, "", &|check| {
            let got = subject.compare_history(a.get(), b.get());
            let got = got.map(|list| list.into_iter().map(|d| d.path).collect::<Vec<_>>());
            let want = fields.clone().unwrap_or_default();
            check.equal(
                "equal",
                &Ok(*equal),
                &got.clone().map(|list| list.is_empty()),
            );
            check.equal("fields", &Ok(want), &got);
        });
    }
    for (i, time) in at(&read::<Time>(report, "time_json", &pure.time_json)) {
        each(report, "time_json", i, &time.input, &|check| {
            run_time(time, subject, check)
        });
    }
    for (
        i,
        ConfigJson {
            name,
            input,
            error,
            out,
        },
    ) in at(&read(report, "config_json", &pure.config_json))
    {
        each(report, "config_json", i, name, &|check| {
            let got = subject.encode_config(input, &newest);
            let invalid = matches!(got, Err(Error::Invalid(_)));
            check.equal("error", error, &invalid);
            check.equal("out", out, &got.ok());
        });
    }
    for (
        i,
        ImageJson {
            name,
            input,
            error,
            out,
            out_sorted,
        },
    ) in at(&read(report, "image_json", &pure.image_json))
    {
        each(report, "image_json", i, name, &|check| {
            let encode = |order| subject.encode_image(input, order, &newest);
            let invalid = matches!(encode(Order::Declared), Err(Error::Invalid(_)));
            check.equal("error", error, &invalid);
            check.equal("out", out, &encode(Order::Declared).ok());
            check.equal("out_sorted", out_sorted, &encode(Order::Sorted).ok());
        });
    }
    for (i, Newest { created, winner }) in at(&read(report, "newest", &pure.newest)) {
        each(report, "newest", i, "", &|check| {
            let got = subject
                .newest(created, &newest)
                .map(|w| w.map_or(-1, i64::from));
            check.equal("winner", &Ok(*winner), &got);
        });
    }
}

/// Reads the entries of a kind; each that cannot be read is a failed case.
fn read<'a, T: Deserialize<'a>>(
    report: &mut Report,
    kind: &str,
    entries: &Entries<'a>,
) -> Vec<(usize, T)> {
    let mut list = Vec::new();
    for (index, raw) in entries.iter().enumerate() {
        match serde_json::from_str(raw.get()) {
            Ok(entry) => list.push((index, entry)),
            Err(error) => report.case(&format!("{kind}[{index}]"), |check| {
                check.fail("format", "an entry", error.to_string());
            }),
        }
    }
    list
}

fn at<T>(entries: &[(usize, T)]) -> impl Iterator<Item = (usize, &T)> {
    entries.iter().map(|(index, entry)| (*index, entry))
}

fn run_matrix(matrix: &Matrix, subject: &dyn Functions, newest: &Semantics, report: &mut Report) {
    let platforms =
        |list: &[super::format::Platform]| list.iter().map(Platform::from).collect::<Vec<_>>();
    let (builders, images) = (platforms(&matrix.builders), platforms(&matrix.images));
    report.about(&matrix.name);
    let got = subject.match_platforms(&builders, &images, "linux", newest);
    let whole = matrix.rows.len() == builders.len()
        && matrix.rows.iter().all(|row| {
            row.len() == images.len() && row.bytes().all(|cell| matches!(cell, b'0' | b'1'))
        });
    if !whole {
        report.case(&matrix.name, |check| {
            check.fail("rows", "0 or 1 for each pair", format!("{:?}", matrix.rows));
        });
    }
    for (row, want) in matrix.rows.iter().enumerate() {
        for (column, want) in want.chars().enumerate() {
            report.case(&format!("{} [{row}][{column}]", matrix.name), |check| {
                let cell = got
                    .as_ref()
                    .ok()
                    .and_then(|rows| rows.get(row)?.get(column).copied());
                check.equal("match", &Some(want == '1'), &cell);
            });
        }
    }
}

/// Where upstream panics, an implementation refuses.
fn expect_or_refuse<T: PartialEq + std::fmt::Debug>(
    check: &mut Case<'_>,
    panic: bool,
    want: T,
    got: Result<T, Error>,
) {
    if panic {
        check.equal("refused", &true, &got.is_err());
    } else {
        check.equal("answer", &Ok(want), &got);
    }
}

fn run_time(time: &Time, subject: &dyn Functions, check: &mut Case<'_>) {
    let want = (!time.error).then(|| Timestamp {
        seconds: time.unix_sec.unwrap_or_default(),
        nanoseconds: time.nanos.unwrap_or_default(),
        zone: if time.zulu == Some(true) {
            Zone::Zulu
        } else {
            Zone::Offset(time.offset_sec.unwrap_or_default())
        },
    });
    let got = subject.parse_time(&time.input).ok();
    check.equal("time", &want, &got);
    let out = got.and_then(Timestamp::to_text);
    check.equal("out", &time.out, &out);
    let refused = got.is_some() && out.is_none();
    check.equal("encode error", &time.encode_error, &refused);
    if time.zulu == Some(true) {
        check.equal("offset of Z", &Some(0), &time.offset_sec);
    }
}
