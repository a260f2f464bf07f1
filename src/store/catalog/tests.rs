//! The catalog's promises, the same tests on both engines.

mod bed;
mod dropped_handlers;
mod files;
mod migrations;
mod postgres_only;
mod reads;
mod shared_commits;
mod values;

/// Makes of each named function two tests, one on each engine.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(&crate::store::catalog::tests::bed::Bed::sqlite()); })+
        }
        mod on_postgres {
            $(#[test] fn $name() {
                if let Some(bed) = crate::store::catalog::tests::bed::Bed::postgres() { super::$name(&bed); }
            })+
        }
    };
}
use on_both_engines;
