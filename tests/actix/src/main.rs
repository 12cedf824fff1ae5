//! An actix-web server that leaves signals to canstop. Its handlers run on the threads of actix's own runtimes and
//! spawn sessions on the program's.

use std::net::TcpListener;

use actix_web::web::{self, Data, Path};
use actix_web::{App, HttpResponse, HttpServer};
use canstop::{Lifecycle, spawn_session};
use canstop_tests::READY;

/// Answers at once, and keeps the event later: here, when the program stops.
async fn event(lifecycle: Data<Lifecycle>, id: Path<u32>) -> HttpResponse {
    let id = id.into_inner();
    spawn_session!("event", in lifecycle, async move {
        Lifecycle::current().stopping().await;
        tokio::task::yield_now().await;
        println!("kept {id}");
    });
    HttpResponse::Accepted().finish()
}

/// Answers only once the program stops.
async fn slow(lifecycle: Data<Lifecycle>) -> HttpResponse {
    println!("slow");
    lifecycle.stopping().await;
    HttpResponse::Ok().body("slow")
}

/// Says whether this thread is in a supervisor by itself.
async fn home() -> String {
    Lifecycle::try_current().map_or_else(|error| error.to_string(), |lifecycle| format!("{lifecycle:?}"))
}

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    let shared = Data::new(lifecycle.clone());
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .route("/events/{id}", web::post().to(event))
            .route("/slow", web::get().to(slow))
            .route("/home", web::get().to(home))
    };
    let server = HttpServer::new(app).workers(2).disable_signals().shutdown_timeout(4).listen(listener)?.run();
    let handle = server.handle();
    println!("{READY}");
    let stop = async {
        lifecycle.stopping().await;
        handle.stop(true).await;
    };
    let (served, ()) = tokio::join!(server, stop);
    Ok(served?)
}

#[canstop::main(grace = "5s", worker_threads = 2)]
async fn main() {}
