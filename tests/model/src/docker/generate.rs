//! Random cases. A recipe says by small numbers what is wanted, `build` makes a
//! case of it; a recipe shrinks member by member.
//!
//! Two lines of history entries share a beginning; images are pieces of a line
//! with at most a few things changed; steps follow a line. So most questions
//! are one change away from a hit.

mod build;
pub mod pools;

use layerwise::host::{FailureCode, Provenance};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use super::case::Case;
use pools::{ADDED, BROKEN, COMMANDS, CONFIG, LAYERS, PLATFORMS, TIMES};

/// What a case is made from. Numbers beyond the end of what they count are
/// counted round.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The member of configs that most changes change.
    focus: usize,
    /// What all configs of the case have, as places in the pool.
    flavour: Vec<ConfigChange>,
    /// The usual platform.
    platform: PlatformRecipe,
    /// The first line, and the second one after the entries they share.
    lines: (Vec<Entry>, Vec<Entry>),
    shared: usize,
    images: Vec<ImageRecipe>,
    /// The images behind the names, and the names to open with.
    names: Vec<usize>,
    from: Vec<usize>,
    fault: Option<Fault>,
    start: (bool, usize),
    steps: Vec<StepRecipe>,
}

/// A member, none meaning the one in focus, and its value.
type ConfigChange = (Option<usize>, usize);
type PlatformRecipe = (usize, usize, usize);

#[derive(Clone, Copy, Debug)]
struct Entry {
    command: usize,
    created: usize,
    author: usize,
    comment: usize,
    layer: usize,
}

#[derive(Clone, Debug)]
struct ImageRecipe {
    second_line: bool,
    length: usize,
    entry: Option<(usize, EntryChange)>,
    layers: Layers,
    config: Option<ConfigChange>,
    platform: Option<PlatformRecipe>,
    created: usize,
    built: Provenance,
    parent: ParentRecipe,
    shouted: bool,
    added: Option<usize>,
    broken: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum EntryChange {
    Created(usize),
    Command(usize),
    Author,
    Comment,
    Empty,
}

#[derive(Clone, Copy, Debug)]
enum Layers {
    Right,
    Extra,
    Short,
    Based,
    Changed(usize, usize),
}

#[derive(Clone, Copy, Debug)]
enum ParentRecipe {
    Below,
    None,
    Image(usize),
    Unknown,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Get(usize),
    Parent(usize),
    SetParent(usize),
    Create,
    Resolve(usize, FailureCode),
}

#[derive(Clone, Debug)]
struct StepRecipe {
    parent: StepParent,
    command: Option<usize>,
    change: Option<ConfigChange>,
    without_config: bool,
    platform: Option<PlatformRecipe>,
}

#[derive(Clone, Copy, Debug)]
enum StepParent {
    Previous,
    Scratch,
    Image(usize),
    Unknown,
}

/// Random cases.
pub fn case() -> impl Strategy<Value = Case> {
    recipe().prop_map(|recipe| recipe.build())
}

/// Random platforms.
pub fn platform() -> impl Strategy<Value = layerwise::oci::Platform> {
    platform_recipe().prop_map(|(name, version, features)| pools::platform(name, version, features))
}

/// Two random container configs that differ in little.
pub fn configs() -> impl Strategy<Value = (String, String)> {
    let changes = (vec(config_change(), 0..3), vec(config_change(), 0..3));
    (0..CONFIG.len(), command(), changes).prop_map(|(focus, command, (first, second))| {
        let both: Vec<ConfigChange> = first.iter().chain(&second).copied().collect();
        (
            build::config(command, focus, &first),
            build::config(command, focus, &both),
        )
    })
}

/// Random time stamps, good and bad.
pub fn time() -> impl Strategy<Value = String> {
    let of = |texts: &'static [&'static str]| proptest::sample::select(texts);
    (
        of(&[
            "2024-02-29",
            "2023-02-29",
            "0000-01-01",
            "9999-12-31",
            "2024-00-01",
            "24-01-01",
        ]),
        of(&["T", "T", "T", "t", " "]),
        of(&[
            "00:00:00", "1:02:03", "23:59:59", "24:00:00", "10:60:00", "10:00:60", "1:2:3",
        ]),
        of(&[
            "",
            ".1",
            ",100",
            ".123456789",
            ".1234567899",
            ".",
            ".a",
            ".000",
        ]),
        of(&[
            "Z", "z", "", "+00:00", "-00:00", "+23:59", "+23:60", "-24:00", "+24:60", "+25:00",
            "+01:61", "+1:00", "Z ",
        ]),
    )
        .prop_map(|(day, t, clock, fraction, zone)| format!("{day}{t}{clock}{fraction}{zone}"))
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let world = (
        (0..CONFIG.len(), vec(config_change(), 0..3)),
        prop_oneof![4 => Just((0, 0, 0)), 1 => platform_recipe()],
        (vec(entry(), 1..5), vec(entry(), 0..3)),
        0..3_usize,
    );
    let store = (
        vec(image(), 1..8),
        vec(0..8_usize, 0..3),
        prop_oneof![2 => Just(Vec::new()), 3 => vec(0..5_usize, 1..4)],
        weighted(0.25, fault()),
    );
    let questions = ((any::<bool>(), 0..3_usize), vec(step(), 1..5));
    (world, store, questions).prop_map(
        |(
            ((focus, flavour), platform, lines, shared),
            (images, names, from, fault),
            (start, steps),
        )| {
            Recipe {
                focus,
                flavour,
                platform,
                lines,
                shared,
                images,
                names,
                from,
                fault,
                start,
                steps,
            }
        },
    )
}

fn config_change() -> impl Strategy<Value = ConfigChange> + Clone {
    let member = prop_oneof![4 => Just(None), 1 => (0..CONFIG.len()).prop_map(Some)];
    (member, 0..10_usize)
}

fn platform_recipe() -> impl Strategy<Value = PlatformRecipe> + Clone {
    let windows = (
        PLATFORMS.len() - 3..PLATFORMS.len(),
        0..11_usize,
        0..6_usize,
    );
    let other = (
        0..PLATFORMS.len(),
        Just(0),
        prop_oneof![4 => Just(0), 1 => 3..5_usize],
    );
    prop_oneof![1 => windows, 3 => other]
}

fn time_index() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0..2_usize, 5 => 0..TIMES.len() - 1, 1 => Just(TIMES.len() - 1)]
}

fn command() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..4_usize, 1 => 0..COMMANDS.len()]
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        command(),
        time_index(),
        0..2_usize,
        0..2_usize,
        0..LAYERS.len(),
    )
        .prop_map(|(command, created, author, comment, layer)| Entry {
            command,
            created,
            author,
            comment,
            layer,
        })
}

fn image() -> impl Strategy<Value = ImageRecipe> {
    let entry_change = prop_oneof![
        (0..TIMES.len()).prop_map(EntryChange::Created),
        command().prop_map(EntryChange::Command),
        Just(EntryChange::Author),
        Just(EntryChange::Comment),
        Just(EntryChange::Empty),
    ];
    let layers = prop_oneof![
        16 => Just(Layers::Right),
        1 => Just(Layers::Extra),
        1 => Just(Layers::Short),
        1 => Just(Layers::Based),
        1 => (0..4_usize, 0..LAYERS.len()).prop_map(|(at, layer)| Layers::Changed(at, layer)),
    ];
    let built = prop_oneof![
        8 => Just(Provenance::BuiltHere),
        1 => Just(Provenance::Elsewhere),
        1 => Just(Provenance::Unknown),
    ];
    let parent = prop_oneof![
        8 => Just(ParentRecipe::Below),
        1 => Just(ParentRecipe::None),
        2 => (0..8_usize).prop_map(ParentRecipe::Image),
        1 => Just(ParentRecipe::Unknown),
    ];
    let what = (
        prop_oneof![3 => Just(false), 1 => Just(true)],
        0..5_usize,
        weighted(0.1, (0..4_usize, entry_change)),
        layers,
        weighted(0.25, config_change()),
        weighted(0.1, platform_recipe()),
    );
    let how = (
        time_index(),
        built,
        parent,
        prop::bool::weighted(0.05),
        weighted(0.1, 0..ADDED.len()),
        weighted(0.03, 0..BROKEN.len() + 2),
    );
    (what, how).prop_map(
        |(
            (second_line, length, entry, layers, config, platform),
            (created, built, parent, shouted, added, broken),
        )| ImageRecipe {
            second_line,
            length,
            entry,
            layers,
            config,
            platform,
            created,
            built,
            parent,
            shouted,
            added,
            broken,
        },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    let code = proptest::sample::select(vec![
        FailureCode::Cancelled,
        FailureCode::Deadline,
        FailureCode::Other,
        FailureCode::Unavailable,
    ]);
    prop_oneof![
        3 => (0..8_usize).prop_map(Fault::Get),
        1 => (0..8_usize).prop_map(Fault::Parent),
        9 => (0..4_usize).prop_map(Fault::SetParent),
        3 => Just(Fault::Create),
        2 => (0..5_usize, code).prop_map(|(name, code)| Fault::Resolve(name, code)),
    ]
}

fn step() -> impl Strategy<Value = StepRecipe> {
    let parent = prop_oneof![
        12 => Just(StepParent::Previous),
        2 => Just(StepParent::Scratch),
        6 => (0..8_usize).prop_map(StepParent::Image),
        1 => Just(StepParent::Unknown),
    ];
    (
        parent,
        weighted(0.1, command()),
        weighted(0.2, config_change()),
        prop::bool::weighted(0.02),
        weighted(0.07, platform_recipe()),
    )
        .prop_map(
            |(parent, command, change, without_config, platform)| StepRecipe {
                parent,
                command,
                change,
                without_config,
                platform,
            },
        )
}
