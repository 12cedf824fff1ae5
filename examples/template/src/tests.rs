//! Tests of the stop. They serve on a Unix socket, so that any number of them run at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, process};

use canstop::testing::Supervisor;
use canstop::{Event, Report, SessionStatus, Signal};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use crate::{database, http};

/// A folder for the socket and the database of one test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("orders-{}-{number}", process::id()));
        fs::create_dir(&path).expect("a test may make folders there");
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("http")
    }

    fn database(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(self.0.join("orders.db"))
            .create_if_missing(true)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the folder of temporary files is harmless.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts both services, and waits until they are ready.
async fn start(sup: &mut Supervisor, folder: &Folder, pool: SqlitePool) {
    sup.start(database::database(pool.clone()));
    sup.start(http::http(folder.socket().display().to_string(), pool));
    sup.wait_for(|event| matches!(event, Event::ServiceReady { service, .. } if service == "http"))
        .await;
}

/// Waits until a session of this name runs.
async fn wait_for_session(sup: &Supervisor, name: &str) {
    let runs = async {
        let is_it = |session: &SessionStatus| session.name == Some(name);
        while !sup.status().sessions.iter().any(is_it) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = timeout(Duration::from_secs(10), runs).await;
    waited.unwrap_or_else(|_| panic!("there is no session `{name}`: {}", sup.status()));
}

async fn send_order(socket: &Path, item: &str) -> UnixStream {
    let body = String::from(r#"{"item": ""#) + item + r#""}"#;
    let length = body.len();
    let request = format!(
        "POST /orders HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut connection = UnixStream::connect(socket).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

/// Everything ended in time, and nothing failed on the way, not even something that was restarted.
#[track_caller]
fn assert_well(report: &Report) {
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.failed_sessions, 0, "{report}");
    for service in &report.services {
        assert_eq!(service.last_error, None, "service `{}`", service.name);
    }
}

#[canstop::test(clock = "real")]
async fn a_stop_finishes_the_order_that_waits_for_the_database(mut sup: Supervisor) {
    let folder = Folder::new();
    database::open(folder.database()).await.unwrap();
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(folder.database()).await.unwrap();
    start(&mut sup, &folder, pool.clone()).await;

    // The only connection is taken, so the order waits.
    let taken = pool.acquire().await.unwrap();
    let mut client = send_order(&folder.socket(), "apples").await;
    wait_for_session(&sup, "order").await;
    sup.signal(Signal::Terminate);
    sup.wait_for(
        |event| matches!(event, Event::ServiceStopping { service, .. } if service == "http"),
    )
    .await;
    drop(taken);

    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 201 "), "{response}");
    assert!(
        response.ends_with(r#"{"id":1,"item":"apples"}"#),
        "{response}"
    );
    assert_well(&sup.stop().await);
    let pool = SqlitePool::connect_with(folder.database()).await.unwrap();
    assert_eq!(
        database::find(&pool, 1).await.unwrap().as_deref(),
        Some("apples")
    );
}
