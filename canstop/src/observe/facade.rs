//! The program's numbers for the recorder of the `metrics` crate.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, with_recorder};

use super::metrics::{Family, Labels, Metrics, Values};
use crate::machine::Event;
use crate::report::ReportThread;
use crate::session::Supervisor;

const METADATA: Metadata<'static> = Metadata::new("canstop", Level::INFO, Some("canstop"));

/// Records a supervisor's numbers. A recorder is the user's code, so it runs on the report thread.
#[derive(Clone)]
pub(crate) struct Facade(Arc<Shared>);

struct Shared {
    supervisor: &'static Supervisor,
    /// A recording was asked for and has not begun. A recorder that is slow is not asked again until then.
    is_asked: AtomicBool,
    recorded: Mutex<Recorded>,
}

/// What was recorded before.
#[derive(Default)]
struct Recorded {
    is_described: bool,
    gauges: HashSet<Key>,
}

impl Facade {
    /// Records now and then, when [`ask`](Self::ask) says so, and when the program has stopped.
    pub(crate) fn start(supervisor: &'static Supervisor, report_thread: &ReportThread) -> Self {
        let facade = Self(Arc::new(Shared {
            supervisor,
            is_asked: AtomicBool::new(false),
            recorded: Mutex::new(Recorded::default()),
        }));
        let at_end = facade.clone();
        report_thread.observe(move |event| {
            if matches!(event, Event::Stopped { .. }) {
                at_end.record();
            }
        });
        facade
    }

    /// Asks the report thread to record.
    pub(crate) fn ask(&self, report_thread: &ReportThread) {
        // Relaxed: the queue orders what it hands over.
        if !self.0.is_asked.swap(true, Ordering::Relaxed) {
            let facade = self.clone();
            report_thread.run(move || {
                facade.0.is_asked.store(false, Ordering::Relaxed);
                facade.record();
            });
        }
    }

    fn record(&self) {
        let families = Metrics::of(self.0.supervisor).families();
        let mut recorded = self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        with_recorder(|recorder| recorded.record(recorder, families));
    }
}

impl fmt::Debug for Facade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facade").finish_non_exhaustive()
    }
}

impl Recorded {
    fn record(&mut self, recorder: &dyn Recorder, families: Vec<Family>) {
        if !std::mem::replace(&mut self.is_described, true) {
            families.iter().for_each(|family| describe(recorder, family));
        }
        let mut gone = std::mem::take(&mut self.gauges);
        for Family { name, values, .. } in families {
            match values {
                Values::Counter(samples) => {
                    for (labels, value) in samples {
                        recorder.register_counter(&key(name, labels), &METADATA).absolute(value);
                    }
                }
                Values::Gauge(samples) => {
                    for (labels, value) in samples {
                        let key = key(name, labels);
                        recorder.register_gauge(&key, &METADATA).set(value);
                        gone.remove(&key);
                        self.gauges.insert(key);
                    }
                }
            }
        }
        // A recorder keeps the last value, so what is not there any more is zero once.
        gone.iter().for_each(|key| recorder.register_gauge(key, &METADATA).set(0.0));
    }
}

fn describe(recorder: &dyn Recorder, family: &Family) {
    let name = KeyName::from_const_str(family.name);
    match family.values {
        Values::Counter(_) => recorder.describe_counter(name, None, family.help.into()),
        Values::Gauge(_) => recorder.describe_gauge(name, None, family.help.into()),
    }
}

fn key(name: &'static str, labels: Labels) -> Key {
    Key::from_parts(name, labels.into_iter().map(|(name, value)| Label::new(name, value)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, SharedString, Unit, with_local_recorder};

    use super::*;
    use crate::machine::{Cause, Exit, Phase};
    use crate::report::Reporter;

    /// Remembers the last value of each series.
    #[derive(Default)]
    struct Memory {
        described: Mutex<Vec<String>>,
        values: Arc<Mutex<BTreeMap<String, f64>>>,
    }

    struct Cell(String, Arc<Mutex<BTreeMap<String, f64>>>);

    impl Cell {
        fn keep(&self, value: f64) {
            self.1.lock().unwrap().insert(self.0.clone(), value);
        }
    }

    impl CounterFn for Cell {
        fn increment(&self, _: u64) {
            panic!("the totals are recorded, not their growth");
        }

        fn absolute(&self, value: u64) {
            self.keep(value as f64);
        }
    }

    impl GaugeFn for Cell {
        fn increment(&self, _: f64) {
            panic!("the values are recorded, not their growth");
        }

        fn decrement(&self, _: f64) {
            panic!("the values are recorded, not their growth");
        }

        fn set(&self, value: f64) {
            self.keep(value);
        }
    }

    impl Memory {
        fn cell(&self, key: &Key) -> Arc<Cell> {
            let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            Arc::new(Cell(format!("{} {}", key.name(), labels.join(" ")), Arc::clone(&self.values)))
        }
    }

    impl Recorder for Memory {
        fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
            self.described.lock().unwrap().push(key.as_str().to_owned());
        }

        fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
            self.described.lock().unwrap().push(key.as_str().to_owned());
        }

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.cell(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.cell(key))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    fn families(sessions: &[(&str, f64)], started: u64) -> Vec<Family> {
        let samples = sessions.iter().map(|&(site, alive)| (vec![("site", site.to_owned())], alive));
        vec![
            Family { name: "sessions", help: "Sessions.", values: Values::Gauge(samples.collect()) },
            Family { name: "started", help: "Spawned.", values: Values::Counter(vec![(Labels::new(), started)]) },
        ]
    }

    #[test]
    fn the_recorder_gets_each_value_and_a_zero_when_it_is_gone() {
        let (memory, mut recorded) = (Memory::default(), Recorded::default());
        recorded.record(&memory, families(&[("a.rs:1", 2.0), ("b.rs:2", 1.0)], 3));
        recorded.record(&memory, families(&[("b.rs:2", 4.0)], 8));
        let values = memory.values.lock().unwrap().clone();
        let expected = [("sessions site=a.rs:1", 0.0), ("sessions site=b.rs:2", 4.0), ("started ", 8.0)];
        assert_eq!(values, expected.map(|(series, value)| (series.to_owned(), value)).into());
        assert_eq!(*memory.described.lock().unwrap(), ["sessions", "started"], "once");
        memory.values.lock().unwrap().clear();
        recorded.record(&memory, families(&[], 8));
        recorded.record(&memory, families(&[], 8));
        assert_eq!(memory.values.lock().unwrap().get("sessions site=a.rs:1"), None, "zero is recorded once");
    }

    #[test]
    fn the_last_numbers_are_recorded_when_the_program_has_stopped() {
        let (supervisor, _inbox) = Supervisor::new();
        let reporter = Reporter::of_test();
        let facade = Facade::start(supervisor, &reporter.thread());
        let memory = Memory::default();
        let phase = |word| memory.values.lock().unwrap()[&format!("canstop_phase phase={word}")];
        with_local_recorder(&memory, || {
            facade.ask(&reporter.thread());
            assert_eq!(phase("running"), 0.0);
            supervisor.numbers().phase = Phase::Running;
            facade.ask(&reporter.thread());
            assert_eq!((phase("running"), phase("finished")), (1.0, 0.0));
            supervisor.numbers().phase = Phase::Finished;
            let stopped = Event::Stopped {
                cause: Cause::Finished,
                duration: Duration::ZERO,
                drained: 0,
                cancelled: 0,
                abandoned: 0,
                exit: Exit::Clean,
            };
            reporter.report(stopped);
        });
        assert_eq!((phase("running"), phase("finished")), (0.0, 1.0));
    }

    #[test]
    fn names_and_help_of_real_series_are_described() {
        let (supervisor, _inbox) = Supervisor::new();
        let (memory, mut recorded) = (Memory::default(), Recorded::default());
        recorded.record(&memory, Metrics::of(supervisor).families());
        let described = memory.described.lock().unwrap().clone();
        for name in ["canstop_sessions", "canstop_sessions_started_total", "canstop_phase"] {
            assert!(described.iter().any(|known| known == name), "{name}: {described:?}");
        }
        assert_eq!(memory.values.lock().unwrap()["canstop_phase phase=setting_up"], 1.0);
    }
}
