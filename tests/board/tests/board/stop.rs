//! Stops and restarts.

use std::net::TcpStream;
use std::thread;

use canstop::testing::Supervisor;
use canstop::{Event, Exit, ServiceState, Signal};

use crate::app::{App, send};

#[canstop::test(clock = "real")]
async fn a_stop_archives_every_note(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    for note in 0..100 {
        app.board.post(&note.to_string()).expect("it is short");
    }
    app.stop(&mut sup).await;
    assert_eq!(app.archived(), app.board.list());
    assert_eq!(app.archived().len(), 100);
}

#[canstop::test(clock = "real")]
async fn a_stop_says_goodbye_to_connected_clients(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut clients: Vec<_> = (0..5).map(|_| app.client()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.ask("COUNT"), "OK 0"));
    app.stop(&mut sup).await;
    for client in &mut clients {
        assert_eq!([client.read(), client.read()], [Some("BYE".to_owned()), None]);
    }
}

#[canstop::test(clock = "real")]
async fn a_stop_answers_the_request_that_runs(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let address = app.http();
    let client = thread::spawn(move || send(address, "GET", "/slow", ""));
    // The request is a session of the service, which a report would name.
    while !sup.status().to_string().contains("GET /slow") {
        tokio::task::yield_now().await;
    }
    app.stop(&mut sup).await;
    assert_eq!(client.join().expect("it does not panic").body, "slow");
}

#[canstop::test(clock = "real")]
async fn nothing_listens_after_a_stop(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    app.stop(&mut sup).await;
    for address in [app.board.http.get(), app.board.lines.get()] {
        let refused = TcpStream::connect(address.expect("it was served"));
        assert!(refused.is_err(), "{refused:?}");
    }
}

#[canstop::test(clock = "real")]
async fn a_signal_stops_the_servers_before_the_archive(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    sup.signal(Signal::Terminate);
    app.stop(&mut sup).await;
    let ended = |event: &Event| match event {
        Event::ServiceEnded { service, .. } => Some(service.clone()),
        _ => None,
    };
    let ended: Vec<_> = sup.events().iter().filter_map(ended).collect();
    assert_eq!(ended.last().map(String::as_str), Some("archive"), "{ended:?}");
    assert_eq!(ended.len(), 3);
}

#[canstop::test(clock = "real")]
async fn a_service_that_is_restarted_serves_the_same_address(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    assert_eq!(app.client().ask("PUT milk"), "OK 0");
    app.lines.restart().await.expect("it may be restarted");
    assert_eq!(app.client().ask("GET 0"), "OK milk");
    assert_eq!(app.lines.status().state, ServiceState::Ready);
}

#[canstop::test(clock = "real")]
async fn a_service_that_is_stopped_alone_leaves_the_other(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    app.lines.stop().await;
    assert_eq!(app.request("POST", "/notes", "milk").code, 201);
    app.stop(&mut sup).await;
    assert_eq!(app.archived(), ["milk"]);
}

#[canstop::test(clock = "real")]
async fn a_board_that_cannot_archive_fails_the_start(mut sup: Supervisor) {
    let (board, records) = canstop_tests_board::board::Board::new();
    let nowhere = std::env::temp_dir().join("canstop-board-nowhere").join("archive");
    sup.start(canstop_tests_board::archive::archive(board, records, nowhere));
    let report = sup.wait().await;
    assert_eq!(report.exit, Exit::Failed, "{report}");
}
