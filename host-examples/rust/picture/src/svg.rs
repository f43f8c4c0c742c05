//! The picture.

use std::fmt::Write as _;

use layerwise::buildkit::Severity;

use crate::label::{id, position, result, short, stands_on, state, summary, title, xml};
use crate::model::{Box, Model, Source};
use crate::place::{HEIGHT, Kind, Line, Placed, WIDTH};
use crate::text;

/// Characters of a name that a box has room for.
const NAME: usize = 26;

/// Where the picture stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A file of its own, with its own styles and legend.
    Alone,
    /// In a page that has them.
    InPage,
}

/// Styles of boxes and lines; words say the same as colours. Plain colours, since
/// not every viewer knows variables.
pub const STYLE: &str = "\
svg{font:12px system-ui,sans-serif;font-family:system-ui,'DejaVu Sans',sans-serif}\
.ground{fill:#fff}text{fill:#1b1f24}.soft{fill:#57606a}\
.id{font-weight:600;font-size:13px;font-family:ui-monospace,'DejaVu Sans Mono',monospace}\
.box rect{stroke-width:1.5}.hit rect{fill:#dafbe1;stroke:#1a7f37}.broken rect{fill:#ffebe9;stroke:#cf222e}.key rect{fill:#ddf4ff;stroke:#0969da}\
.dead rect{fill:#f0e4e4;stroke:#82605f;stroke-dasharray:5 3}\
.name{font-weight:600;font-size:11px}.ran rect{fill:#fff8c5;stroke:#9a6700}.cause rect{fill:#ffd8b5;stroke:#bc4c00;stroke-width:3}\
.warning rect{stroke:#9a6700;stroke-width:3}.error rect{stroke:#cf222e;stroke-width:3}\
.mark{font-weight:700}.warning .mark{fill:#9a6700}.error .mark{fill:#cf222e}\
.link{fill:none;stroke:#8c959f;stroke-width:1.4}.far{stroke-dasharray:2 4}\
.link.end:hover,.link.far:hover{stroke:#8250df;stroke-width:3}.box:focus,.box:target{outline:none}\
.box:hover rect,.box:focus rect,.box:target rect{stroke:#8250df;stroke-width:4;stroke-dasharray:none}\
@media (prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.soft{fill:#9198a1}\
.hit rect{fill:#12261e;stroke:#3fb950}.broken rect{fill:#2d1214;stroke:#f85149}.key rect{fill:#121d2f;stroke:#4493f8}.dead rect{fill:#2a1e1f;stroke:#a08080}\
.ran rect{fill:#2e2a12;stroke:#d29922}.cause rect{fill:#3d2314;stroke:#f0883e}\
.warning rect{stroke:#d29922}.error rect{stroke:#f85149}.warning .mark{fill:#d29922}.error .mark{fill:#f85149}\
.link{stroke:#6e7681}.link.end:hover,.link.far:hover,.box:hover rect,.box:focus rect,.box:target rect{stroke:#ab7df8}}";

/// Draws boxes and lines.
pub fn write(model: &Model, placed: &Placed, whole: Use) -> String {
    let Placed {
        width,
        height,
        corners,
        lines,
    } = placed;
    let fates = model.boxes.iter().any(|one| one.fate.is_some());
    let legend = match whole {
        Use::Alone if fates => 88.0,
        Use::Alone => 64.0,
        Use::InPage => 0.0,
    };
    let (width, tall) = (width.max(720.0), height + legend);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{tall:.0}" viewBox="0 0 {width:.0} {tall:.0}" role="group" aria-label="{}">"#,
        xml(&summary(model))
    );
    svg.push('\n');
    let _ = writeln!(svg, "<style>{STYLE}</style>");
    if whole == Use::Alone {
        let _ = writeln!(svg, r#"<rect class="ground" width="100%" height="100%"/>"#);
        let _ = writeln!(svg, "<title>{}</title>", xml(&summary(model)));
        self::legend(&mut svg, model, fates);
        let _ = writeln!(svg, r#"<g transform="translate(0 {legend:.0})">"#);
    }
    for line in lines {
        self::line(&mut svg, model, line);
    }
    for (one, corner) in model.boxes.iter().zip(corners) {
        boxed(&mut svg, model, one, *corner);
    }
    if whole == Use::Alone {
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, model: &Model, fates: bool) {
    let entries = [
        ("hit", "hit: a complete result is there"),
        ("key", "key: reached, no usable result"),
        ("dead", "dead: nothing reaches it"),
        ("hit ran", "ran: the build ran the step"),
        ("hit cause", "cause: for a cause of its own"),
    ];
    let shown = if fates { entries.len() } else { 3 };
    for (at, (class, words)) in entries.iter().take(shown).enumerate() {
        let (x, y) = (24 + at % 3 * 220, 14 + at / 3 * 24);
        let _ = writeln!(
            svg,
            r#"<g class="box {class}"><rect x="{x}" y="{y}" width="22" height="14" rx="3"/></g><text x="{}" y="{}">{words}</text>"#,
            x + 30,
            y + 11
        );
    }
    let y = if fates { 74 } else { 50 };
    let _ = writeln!(
        svg,
        r#"<text x="24" y="{y}" class="soft">{}. Lines lead down from what a record stands on; sizes are of the whole chain.</text>"#,
        xml(&summary(model))
    );
}

fn line(svg: &mut String, model: &Model, line: &Line) {
    let Line {
        from: (x1, y1),
        to: (x2, y2),
        kind,
    } = line;
    let bend = ((y2 - y1).abs() / 2.0).min(60.0);
    let path = if matches!(kind, Kind::Far(..)) {
        // Beside what is in between, and around when it leads up.
        let (c1, c2, side) = (y1 + 50.0, y2 - 50.0, x1.max(*x2) + 150.0);
        format!("M{x1:.1} {y1:.1}C{side:.1} {c1:.1} {side:.1} {c2:.1} {x2:.1} {y2:.1}")
    } else if (x1 - x2).abs() < 0.05 && y1 < y2 {
        format!("M{x1:.1} {y1:.1}V{y2:.1}")
    } else {
        let (c1, c2) = (y1 + bend, y2 - bend);
        format!("M{x1:.1} {y1:.1}C{x1:.1} {c1:.1} {x2:.1} {c2:.1} {x2:.1} {y2:.1}")
    };
    let _ = match kind {
        Kind::Trunk => writeln!(svg, r#"<path class="link" d="{path}"/>"#),
        Kind::End(at, source) => writeln!(
            svg,
            r#"<path class="link end" d="{path}"><title>{}</title></path>"#,
            link_title(model, *at, source)
        ),
        Kind::Far(at, source) => writeln!(
            svg,
            r#"<path class="link far" d="{path}"><title>{}</title></path>"#,
            link_title(model, *at, source)
        ),
    };
}

fn boxed(svg: &mut String, model: &Model, one: &Box, (x, y): (f64, f64)) {
    let mut class = one.standing.as_str().to_owned();
    let mark = match one.worst {
        Some(worst @ (Severity::Warning | Severity::Error)) => {
            class.push(' ');
            class.push_str(worst.as_str());
            "!"
        }
        _ => "",
    };
    if let Some(fate) = one.fate {
        class.push(' ');
        class.push_str(fate.as_str());
    }
    let title = title(model, one);
    let _ = writeln!(
        svg,
        r#"<g class="box {class}" id="{}" tabindex="0" role="img" aria-label="{}" transform="translate({x:.1} {y:.1})">"#,
        id(one),
        xml(&title)
    );
    let _ = writeln!(
        svg,
        r#"<title>{}</title><rect width="{WIDTH}" height="{HEIGHT}" rx="7"/>"#,
        xml(&title)
    );
    let right = WIDTH - 10.0;
    // A name needs the whole width.
    let (head, beside) = match &one.name {
        Some(name) => {
            let name = xml(&text::cut(name, NAME));
            (
                format!(r#"<text x="10" y="20" class="name">{name}</text>"#),
                39,
            )
        }
        None => {
            let digest = xml(&text::cut(&short(&one.digest), 16));
            (
                format!(r#"<text x="10" y="20" class="id">{digest}</text>"#),
                20,
            )
        }
    };
    let place = xml(&position(one));
    let _ = writeln!(
        svg,
        r#"{head}<text x="{right}" y="{beside}" text-anchor="end" class="soft">{place}</text>"#
    );
    let _ = writeln!(svg, r#"<text x="10" y="39">{}</text>"#, xml(&result(one)));
    let _ = writeln!(
        svg,
        r#"<text x="10" y="57" class="soft">{}</text><text x="{right}" y="57" text-anchor="end" class="mark">{}</text>"#,
        xml(&state(one)),
        xml(&match one.findings.len() {
            0 => mark.to_owned(),
            1 => "! 1 finding".to_owned(),
            n => format!("! {n} findings"),
        })
    );
    if one.more > 0 {
        let _ = writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle" class="soft">+{} more</text>"#,
            WIDTH / 2.0,
            HEIGHT + 14.0,
            one.more
        );
    }
    if one.hidden > 0 {
        let _ = writeln!(
            svg,
            r#"<text x="{:.1}" y="-5" text-anchor="middle" class="soft">{}</text>"#,
            WIDTH / 2.0,
            match one.hidden {
                1 => "a source is not drawn".to_owned(),
                n => format!("{n} sources are not drawn"),
            }
        );
    }
    if one.inputs > 1 {
        let mut last = None;
        for source in &one.sources {
            if last == Some(source.input) {
                continue;
            }
            last = Some(source.input);
            let step = WIDTH / f64::from(one.inputs.saturating_add(1));
            let port = step * f64::from(source.input.saturating_add(1));
            if one.inputs <= 6 {
                let _ = writeln!(
                    svg,
                    r#"<text x="{:.1}" y="-4" class="soft" font-size="10">{}</text>"#,
                    port + 3.0,
                    source.input
                );
            }
        }
    }
    svg.push_str("</g>\n");
}

fn link_title(model: &Model, at: usize, source: &Source) -> String {
    let to = model.boxes.get(at);
    let to = to.map_or(String::new(), |one| match &one.name {
        Some(name) => name.clone(),
        None => short(&one.digest),
    });
    xml(&format!("{}\nof {to}", stands_on(model, source)))
}
