//! The line protocol.

use std::thread;
use std::time::Duration;

use canstop::Event;
use canstop::testing::Supervisor;
use canstop_tests_board::board::LONGEST;

use crate::app::App;

#[canstop::test(clock = "real")]
async fn put_answers_with_the_number_of_the_note(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    assert_eq!([client.ask("PUT milk"), client.ask("PUT bread")], ["OK 0", "OK 1"]);
}

#[canstop::test(clock = "real")]
async fn get_answers_with_the_note(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    client.ask("PUT two words");
    assert_eq!(client.ask("GET 0"), "OK two words");
}

#[canstop::test(clock = "real")]
async fn a_number_without_a_note_is_unknown(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    assert_eq!([client.ask("GET 0"), client.ask("GET milk"), client.ask("GET")], ["ERR unknown"; 3]);
}

#[canstop::test(clock = "real")]
async fn count_counts_the_notes(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    assert_eq!(client.ask("COUNT"), "OK 0");
    client.ask("PUT milk");
    assert_eq!(client.ask("COUNT"), "OK 1");
}

#[canstop::test(clock = "real")]
async fn a_connection_survives_an_unknown_command(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    assert_eq!(client.ask("SHOUT"), "ERR command");
    assert_eq!(client.ask("COUNT"), "OK 0");
}

#[canstop::test(clock = "real")]
async fn a_note_without_text_is_refused(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    assert_eq!([client.ask("PUT"), client.ask("PUT   ")], ["ERR Empty"; 2]);
}

#[canstop::test(clock = "real")]
async fn the_longest_note_is_taken_and_a_longer_one_refused(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    let longest = "x".repeat(LONGEST);
    assert_eq!(client.ask(&format!("PUT {longest}")), "OK 0");
    assert_eq!(client.ask(&format!("PUT {longest}x")), "ERR TooLong");
}

#[canstop::test(clock = "real")]
async fn quit_closes_the_connection(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    assert_eq!(client.ask("QUIT"), "BYE");
    assert_eq!(client.read(), None);
}

#[canstop::test(clock = "real")]
async fn a_client_that_says_nothing_is_disconnected(mut sup: Supervisor) {
    let app = App::start_with_idle_limit(&mut sup, Duration::from_millis(20)).await;
    let mut client = app.client();
    assert_eq!(client.read().as_deref(), Some("IDLE"));
    assert_eq!(client.read(), None);
}

#[canstop::test(clock = "real")]
async fn commands_that_arrive_together_are_answered_in_order(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    client.write("PUT milk\nPUT bread\nGET 1\nCOUNT\n");
    let answers: Vec<_> = (0..4).filter_map(|_| client.read()).collect();
    assert_eq!(answers, ["OK 0", "OK 1", "OK bread", "OK 2"]);
}

#[canstop::test(clock = "real")]
async fn a_command_may_arrive_in_pieces(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    client.write("PUT mi");
    // Meanwhile another client is answered.
    assert_eq!(app.client().ask("COUNT"), "OK 0");
    client.write("lk\n");
    assert_eq!(client.read().as_deref(), Some("OK 0"));
    assert_eq!(app.board.read(0).as_deref(), Some("milk"));
}

#[canstop::test(clock = "real")]
async fn clients_on_many_threads_lose_no_note(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    thread::scope(|scope| {
        for thread in 0..8 {
            let mut client = app.client();
            scope.spawn(move || {
                for note in 0..25 {
                    assert!(client.ask(&format!("PUT {thread} {note}")).starts_with("OK"));
                }
            });
        }
    });
    let mut notes = app.board.list();
    notes.sort();
    notes.dedup();
    assert_eq!(notes.len(), 200);
}

#[canstop::test(clock = "real")]
async fn a_connection_that_panics_is_reported_and_harms_no_other(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut healthy = app.client();
    let mut client = app.client();
    client.write("PANIC\n");
    assert_eq!(client.read(), None);
    let failed = sup.wait_for(|event| matches!(event, Event::SessionFailed { .. })).await;
    assert!(failed.to_string().contains("panicked: asked to"), "{failed}");
    assert_eq!(healthy.ask("COUNT"), "OK 0");
}
