//! The byte limit of one call: how many images or documents an answer holds.

use layerwise::host::Failure;
use layerwise_files::too_large;

/// Returns as many of `ids` as fit into `limit` bytes of documents, at least
/// one. `size` tells the bytes of a document before it is read, or nothing when
/// it cannot be told (reading then says why) or no document is wanted; `read`
/// reads one.
pub fn answer<T>(
    ids: &[String],
    limit: u64,
    size: impl Fn(&str) -> Option<u64>,
    read: impl Fn(&str) -> Result<T, Failure>,
) -> Vec<Result<T, Failure>> {
    let mut room = limit;
    let mut answers = Vec::with_capacity(ids.len());
    for id in ids {
        let size = size(id).unwrap_or(0);
        if size > limit {
            answers.push(Err(too_large(
                &format!("document of image {id:?}"),
                size,
                limit,
            )));
            continue;
        }
        let Some(left) = room.checked_sub(size) else {
            break;
        };
        room = left;
        answers.push(read(id));
    }
    answers
}

#[cfg(test)]
mod tests {
    use layerwise::host::{FailureCode, Image};

    use super::*;

    fn sizes(ids: &[&str], limit: u64) -> Vec<Result<String, FailureCode>> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let read = |id: &str| {
            if id == "bad" {
                return Err(Failure::new(FailureCode::Corrupt, "bad"));
            }
            Ok(Image {
                id: id.to_owned(),
                ..Image::default()
            })
        };
        answer(&ids, limit, |id| id.parse().ok(), read)
            .into_iter()
            .map(|item| item.map(|image| image.id).map_err(|failure| failure.code))
            .collect()
    }

    #[test]
    fn stops_at_the_limit_but_answers_one() {
        let ok = |id: &str| Ok(id.to_owned());
        assert_eq!(sizes(&["4", "6", "1"], 10), [ok("4"), ok("6")]);
        assert_eq!(sizes(&["4", "7", "1"], 10), [ok("4")]);
        assert_eq!(
            sizes(&["11", "10", "11"], 10),
            [
                Err(FailureCode::TooLarge),
                ok("10"),
                Err(FailureCode::TooLarge)
            ]
        );
        assert_eq!(
            sizes(&["bad", "1"], 0),
            [Err(FailureCode::Corrupt), Err(FailureCode::TooLarge)]
        );
        assert_eq!(sizes(&[], 10), []);
    }
}
