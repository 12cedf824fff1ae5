// Only in the documentation: each page of `docs/guide` as a module. A repository's viewer shows the same files, and
// the package `canstop-examples` compiles and runs their code.
//
// A page names its links, and says at its end where they lead among files. Markdown takes the first definition of a
// name, so `links.md`, where the same names lead to modules, comes before each page.

#![doc = include_str!("../docs/links.md")]
#![doc = include_str!("../docs/guide/README.md")]

macro_rules! pages {
    ($($name:ident: $file:literal;)*) => { $(
        #[doc = include_str!("../docs/links.md")]
        #[doc = include_str!(concat!("../docs/guide/", $file))]
        pub mod $name {}
    )* };
}

pages! {
    getting_started: "getting-started.md";
    database: "database.md";
    jobs: "jobs.md";
    configuration: "configuration.md";
    websockets: "websockets.md";
    grpc: "grpc.md";
    testing: "testing.md";
    platforms: "platforms.md";
    observing: "observing.md";
    order: "order.md";
    troubleshooting: "troubleshooting.md";
    migration: "migration.md";
    migration_web: "migration-web.md";
    migration_supervisors: "migration-supervisors.md";
    stop: "stop.md";
    options: "options.md";
    operations: "operations.md";
    containers: "containers.md";
    without_macros: "without-macros.md";
}
