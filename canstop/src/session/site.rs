//! The place in the source where a session is spawned.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::machine::Location;

/// A `spawn_session!` in the source: one `static` each, made by the macro.
#[derive(Debug)]
pub struct Site {
    pub(crate) name: Option<&'static str>,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) module: &'static str,
    /// A function, because a constant cannot compute a type's name yet.
    pub(crate) function: fn() -> &'static str,
    pub(crate) grace: Option<Duration>,
    /// The grace ends with the sessions being dropped, without blame.
    pub(crate) cancels: bool,
    /// The index of each thread's counter for this site; zero until the site is used.
    index: AtomicU32,
}

/// The sites of callbacks that run at a stop, one for each place that registers any.
static CALLBACKS: Mutex<Vec<&'static Site>> = Mutex::new(Vec::new());

/// The site of the `on_stopping` at this place.
pub(super) fn of_callback(location: Location) -> &'static Site {
    let mut callbacks = CALLBACKS.lock().expect("nothing panics while it looks up a callback's site");
    if let Some(known) = callbacks.iter().find(|site| site.location() == location) {
        return known;
    }
    let Location { file, line } = location;
    let site: &'static Site = Box::leak(Box::new(Site::new(Some("on_stopping"), file, line, "", || "", None)));
    callbacks.push(site);
    site
}

/// The number of sites that have been used so far.
static USED: Mutex<u32> = Mutex::new(0);

impl Site {
    /// A site; the macros make it.
    #[must_use]
    pub const fn new(
        name: Option<&'static str>,
        file: &'static str,
        line: u32,
        module: &'static str,
        function: fn() -> &'static str,
        grace: Option<Duration>,
    ) -> Self {
        Self { name, file, line, module, function, grace, cancels: false, index: AtomicU32::new(0) }
    }

    /// A site whose sessions may be dropped that long after their stop was requested; the macros make it.
    #[must_use]
    pub const fn cancel_after(self, grace: Duration) -> Self {
        Self { grace: Some(grace), cancels: true, ..self }
    }

    /// What tokio-console shows for its sessions.
    pub(super) fn task_name(&self) -> String {
        self.name.unwrap_or_else(self.function).to_owned()
    }

    pub(crate) fn location(&self) -> Location {
        Location { file: self.file, line: self.line }
    }

    /// The site's number, or zero before its first use.
    ///
    /// Relaxed: the number publishes nothing, each thread makes its own counter for it.
    #[inline]
    pub(super) fn index(&self) -> usize {
        self.index.load(Ordering::Relaxed) as usize
    }

    /// Gives the site its number, once.
    pub(super) fn index_or_assign(&self) -> usize {
        let mut used = USED.lock().expect("nothing panics while it numbers a site");
        if self.index.load(Ordering::Relaxed) == 0 {
            *used += 1;
            self.index.store(*used, Ordering::Relaxed);
        }
        self.index.load(Ordering::Relaxed) as usize
    }
}

/// The site for what a function of canstop's spawns, by where the user calls that.
#[cfg(feature = "http")]
pub(crate) fn site_of(
    name: &'static str,
    caller: &'static std::panic::Location<'static>,
    function: fn() -> &'static str,
) -> &'static Site {
    // As many as there are such calls in the source.
    static SITES: Mutex<Vec<&'static Site>> = Mutex::new(Vec::new());
    let mut sites = SITES.lock().expect("nothing panics while it looks for a site");
    let is_it = |site: &&&Site| site.line == caller.line() && site.file == caller.file() && site.name == Some(name);
    if let Some(site) = sites.iter().find(is_it) {
        return site;
    }
    let site = Site::new(Some(name), caller.file(), caller.line(), "", function, None);
    let site: &'static Site = Box::leak(Box::new(site));
    sites.push(site);
    site
}

/// The path of the function around a nested one, as people write it.
#[must_use]
pub fn function_of<F>(_nested: F) -> &'static str {
    let path = std::any::type_name::<F>();
    let around = path.rsplit_once("::").map_or(path, |(around, _)| around);
    let mut around = around;
    while let Some(outer) = around.strip_suffix("::{{closure}}") {
        around = outer;
    }
    // The macros keep the user's function within one of the same name.
    match around.rsplit_once("::") {
        Some((outer, inner))
            if outer == inner || outer.strip_suffix(inner).is_some_and(|path| path.ends_with("::")) =>
        {
            outer
        }
        _ => around,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_named_without_its_closures() {
        let name = || {
            fn here() {}
            function_of(here)
        };
        assert!(name().ends_with("tests::the_function_is_named_without_its_closures"), "{}", name());
    }
}
