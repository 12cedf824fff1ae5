//! The tracker's responses.

use canstop_examples::Client;
use canstop_examples::program::{Program, Running, Signal};
use serde_json::{Value, json};

use crate::support::{Server, TestDatabase};

#[test]
fn the_tracker_stores_and_returns_events_in_sqlite() {
    keeps_events_and_gives_them_back(&TestDatabase::sqlite());
}

#[test]
fn the_tracker_stores_and_returns_events_in_postgresql() {
    if let Some(server) = Server::start() {
        keeps_events_and_gives_them_back(&server.place());
    }
}

fn keeps_events_and_gives_them_back(place: &TestDatabase) {
    let (program, mut client) = start(place);
    // Data is stored verbatim, including characters special to a database and numbers that no float can hold.
    let data = r#"{"text":"'; DROP TABLE events; -- \u0000 ü","number":123456789012345678901234567890}"#;
    let mut ids = Vec::new();
    for number in 0..3 {
        let event = format!(r#"{{"kind":"test.{number}","data":{data}}}"#);
        let created = client.post("/events?durable=true", &event).expect("the tracker answers");
        assert_eq!(created.status, 201, "{}", created.body);
        ids.push(parse(&created.body)["id"].clone());
    }

    let first = client.get("/events?limit=2").expect("the tracker answers");
    assert!(first.body.contains(data), "{}", first.body);
    let first = parse(&first.body);
    let kinds = |page: &Value| -> Vec<Value> {
        page["events"].as_array().expect("a page has events").iter().map(|event| event["kind"].clone()).collect()
    };
    assert_eq!(kinds(&first), ["test.0", "test.1"]);
    assert_eq!(first["events"][1]["id"], ids[1]);
    let second = client.get(&format!("/events?after={}", first["last"])).expect("the tracker answers");
    assert_eq!(kinds(&parse(&second.body)), ["test.2"]);

    let stats = parse(&client.get("/stats").expect("the tracker answers").body);
    assert_eq!(stats, json!({"accepted": 3, "committed": 3, "queued": 0, "capacity": 8192, "refused": 0}));

    program.signal(Signal::Terminate);
    let ended = program.wait();
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn invalid_events_are_refused_with_the_reason() {
    let (_program, mut client) = start(&TestDatabase::sqlite());
    let too_large = format!(r#"{{"kind":"test","data":"{}"}}"#, "x".repeat(16 * 1024));
    let longest_kind = format!(r#"{{"kind":"{}"}}"#, "k".repeat(65));
    for (path, body, status, reason) in [
        ("/events", "", 400, "not an event: EOF"),
        ("/events", "{", 400, "not an event: EOF"),
        ("/events", "[]", 400, "not an event: invalid length 0"),
        ("/events", r#"{"data":1}"#, 400, "missing field `kind`"),
        ("/events", r#"{"kind":""}"#, 400, "`kind` must be 1 to 64"),
        ("/events", &longest_kind, 400, "`kind` must be 1 to 64"),
        ("/events", r#"{"kind":"Two words"}"#, 400, "`kind` must be 1 to 64"),
        ("/events", r#"{"kind":"test","date":1}"#, 400, "unknown field `date`"),
        ("/events", &too_large, 413, "at most 16384 bytes"),
        ("/events?durable=perhaps", r#"{"kind":"test"}"#, 400, "not `true` or `false`"),
        ("/events?durably=true", r#"{"kind":"test"}"#, 400, "unknown field `durably`"),
    ] {
        let answer = client.post(path, body).expect("the tracker answers");
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        assert!(answer.body.contains(reason), "{path} {body}: {}", answer.body);
    }
    for (path, reason) in [("/events?after=x", "invalid digit"), ("/events?limit=-1", "invalid digit")] {
        let answer = client.get(path).expect("the tracker answers");
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        assert!(answer.body.contains(reason), "{path}: {}", answer.body);
    }
    let stats = parse(&client.get("/stats").expect("the tracker answers").body);
    assert_eq!(stats["accepted"], 0);
}

fn start(place: &TestDatabase) -> (Running, Client) {
    let mut program = Program::new("tracker").env("LISTEN", "127.0.0.1:0").env("DATABASE_URL", &place.url).start();
    let client = Client::connect(&program.address()).expect("the tracker listens");
    (program, client)
}

#[track_caller]
fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}
