//! Images that were resolved to something else.

use super::*;

/// The build on an image with another digest, of which these steps were hits.
fn moved(cached: &[usize]) -> Why {
    let old = chain(3, "make");
    let mut new = chain(3, "make");
    new.definitions[0].steps[0].op.message["identifier"] = json!("docker-image://a:1@sha256:bb");
    for at in cached {
        new.vertices[*at].cached = true;
    }
    explain(&old, &new)
}

#[test]
fn a_hit_on_an_image_shows_that_its_layers_are_the_same() {
    let told = moved(&[1, 2]);
    assert_eq!(told.causes, []);
    let codes = told.steps.iter().flat_map(|step| step.findings(&told));
    let codes: Vec<Reason> = codes.map(|finding| finding.code).collect();
    assert_eq!(codes, [Reason::SameLayers]);
    // What ran beside it did not run because of the image.
    let told = moved(&[1]);
    let [cause] = told.causes.as_slice() else {
        panic!("{:?}", told.causes);
    };
    assert_eq!(cause.cause.code(), Reason::ResultLost);
}

#[test]
fn without_a_hit_the_image_is_the_cause() {
    let told = moved(&[]);
    let [cause] = told.causes.as_slice() else {
        panic!("{:?}", told.causes);
    };
    assert_eq!(cause.cause.code(), Reason::BaseMoved);
    assert_eq!(cause.follow, [1, 2]);
}
