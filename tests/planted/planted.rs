
/// What the macro below needs, wherever it stands.
#[doc(hidden)]
pub extern crate std as planted_std;

/// Whether this run is to have the bug of that name. Stands in the copy only that
/// `tests/planted/run` builds; each bug's patch asks it where the bug is.
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {{
        use $crate::planted_std::{env, sync::OnceLock};
        static IS_CHOSEN: OnceLock<bool> = OnceLock::new();
        *IS_CHOSEN.get_or_init(|| env::var("UDPCHAT_PLANTED").is_ok_and(|name| name == $name))
    }};
}
