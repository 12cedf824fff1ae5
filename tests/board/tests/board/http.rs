//! The board over HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use canstop::testing::Supervisor;

use crate::app::App;

#[canstop::test(clock = "real")]
async fn a_posted_note_is_created(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let answer = app.request("POST", "/notes", "milk");
    assert_eq!((answer.code, answer.body.as_str()), (201, "0"));
}

#[canstop::test(clock = "real")]
async fn a_note_is_read_by_its_number(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    app.request("POST", "/notes", "milk");
    let answer = app.request("GET", "/notes/0", "");
    assert_eq!((answer.code, answer.body.as_str()), (200, "milk"));
}

#[canstop::test(clock = "real")]
async fn an_unknown_note_is_not_found(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    assert_eq!(app.request("GET", "/notes/7", "").code, 404);
}

#[canstop::test(clock = "real")]
async fn a_number_that_is_none_is_a_bad_request(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    assert_eq!(app.request("GET", "/notes/milk", "").code, 400);
}

#[canstop::test(clock = "real")]
async fn a_note_is_deleted_once(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    app.request("POST", "/notes", "milk");
    assert_eq!(app.request("DELETE", "/notes/0", "").code, 204);
    assert_eq!(app.request("DELETE", "/notes/0", "").code, 404);
}

#[canstop::test(clock = "real")]
async fn an_empty_note_cannot_be_processed(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let answer = app.request("POST", "/notes", "  ");
    assert_eq!((answer.code, answer.body.as_str()), (422, "Empty"));
}

#[canstop::test(clock = "real")]
async fn notes_are_listed_in_their_order(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    for note in ["milk", "bread", "salt"] {
        app.request("POST", "/notes", note);
    }
    app.request("DELETE", "/notes/1", "");
    assert_eq!(app.request("GET", "/notes", "").body, "milk\nsalt");
}

#[canstop::test(clock = "real")]
async fn an_import_posts_a_note_for_each_line(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let answer = app.request("POST", "/import", "milk\nbread\n");
    assert_eq!((answer.code, answer.body.as_str()), (201, "2"));
    assert_eq!(app.board.list(), ["milk", "bread"]);
}

#[canstop::test(clock = "real")]
async fn an_import_with_an_empty_line_posts_nothing(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    assert_eq!(app.request("POST", "/import", "milk\n\nbread").code, 422);
    assert_eq!(app.board.list(), [""; 0]);
}

#[canstop::test(clock = "real")]
async fn a_method_that_a_route_has_not_is_refused(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    assert_eq!(app.request("DELETE", "/notes", "").code, 405);
}

#[canstop::test(clock = "real")]
async fn one_connection_serves_several_requests(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    app.board.post("milk").expect("it is short");
    let mut stream = TcpStream::connect(app.http()).expect("it listens");
    let mut from = BufReader::new(stream.try_clone().expect("a descriptor is free"));
    for _ in 0..3 {
        stream.write_all(b"GET /notes/0 HTTP/1.1\r\nhost: board\r\n\r\n").expect("it reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(from.read_until(b'\n', &mut head).expect("a head") > 0, "{}", String::from_utf8_lossy(&head));
        }
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&head));
        let mut body = [0; 4];
        from.read_exact(&mut body).expect("a body");
        assert_eq!(&body, b"milk");
    }
}
