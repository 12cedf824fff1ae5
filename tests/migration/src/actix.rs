//! actix-web, which stays the server.

use actix_web::web::{self, Data, Path};
use actix_web::{App, HttpResponse, HttpServer};
use canstop::{Lifecycle, spawn_session};

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let shared = Data::new(lifecycle.clone());
    let app = move || App::new().app_data(shared.clone()).route("/events/{id}", web::post().to(event));
    let server = HttpServer::new(app)
        .disable_signals() // canstop has them
        .shutdown_timeout(4) // seconds: less than the grace
        .bind("127.0.0.1:8080")?
        .run();
    let handle = server.handle();
    let stop = async {
        lifecycle.stopping().await;
        handle.stop(true).await;
    };
    let (served, ()) = tokio::join!(server, stop);
    Ok(served?)
}

/// Answers at once, and keeps the event in a session.
async fn event(lifecycle: Data<Lifecycle>, id: Path<u32>) -> HttpResponse {
    spawn_session!(in lifecycle, keep(id.into_inner()));
    HttpResponse::Accepted().finish()
}

async fn keep(_id: u32) {}
