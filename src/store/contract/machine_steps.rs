//! What may happen in a random life of a store (D33).

use proptest::prelude::{Just, Strategy, prop_oneof};

use super::faulty::Failure;
use crate::model::instant::{DAY_MICROS, HOUR_MICROS};
use crate::store::blobs::memory::When;

/// One thing that happens. Names and contents are numbers, so that they meet.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Put {
        name: u8,
        bytes: u8,
        failure: Option<Failure>,
    },
    /// An upload whose client goes away before its end.
    BreakOff {
        name: u8,
    },
    /// A blob is published, and its server dies before the row.
    DieBeforeRow {
        name: u8,
        bytes: u8,
    },
    Get {
        name: u8,
    },
    /// One bit of the stored bytes flips; a second time it flips back.
    Harm {
        name: u8,
    },
    Pass {
        micros: i64,
    },
    JumpWall {
        micros: i64,
    },
    AcceptClock,
    Expire {
        failure: Option<Failure>,
    },
    Rotate {
        failure: Option<Failure>,
    },
    Disable,
    Enable,
    SetDays {
        days: i64,
        failure: Option<Failure>,
    },
    Reconcile,
    Check,
    /// The process dies and another one opens what is there.
    Crash,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let name = 0u8..5;
    let bytes = 0u8..3;
    let copy = prop_oneof![8 => Just(None), 1 => Just(Some(Failure::Copy))];
    let publish = prop_oneof![
        12 => Just(None),
        1 => Just(Some(Failure::Publish(When::BeforeBlob))),
        1 => Just(Some(Failure::Publish(When::AfterBlob))),
    ];
    prop_oneof![
        12 => (name.clone(), bytes.clone(), publish).prop_map(|(name, bytes, failure)| Step::Put { name, bytes, failure }),
        2 => name.clone().prop_map(|name| Step::BreakOff { name }),
        3 => (name.clone(), bytes).prop_map(|(name, bytes)| Step::DieBeforeRow { name, bytes }),
        6 => name.clone().prop_map(|name| Step::Get { name }),
        2 => name.prop_map(|name| Step::Harm { name }),
        4 => (1..20 * DAY_MICROS).prop_map(|micros| Step::Pass { micros }),
        3 => (1..2 * HOUR_MICROS).prop_map(|micros| Step::Pass { micros }),
        2 => (-400 * DAY_MICROS..400 * DAY_MICROS).prop_map(|micros| Step::JumpWall { micros }),
        2 => Just(Step::AcceptClock),
        6 => prop_oneof![5 => Just(None), 1 => Just(Some(Failure::Remove))].prop_map(|failure| Step::Expire { failure }),
        1 => copy.clone().prop_map(|failure| Step::Rotate { failure }),
        1 => Just(Step::Disable),
        3 => Just(Step::Enable),
        2 => (30..=365i64, copy).prop_map(|(days, failure)| Step::SetDays { days, failure }),
        4 => Just(Step::Reconcile),
        2 => Just(Step::Check),
        5 => Just(Step::Crash),
    ]
}
