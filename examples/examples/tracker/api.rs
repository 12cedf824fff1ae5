//! Requests and responses of the http service, except the handler of `POST /events`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use canstop::http::BodyError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::event::{NewEvent, StoredEvent};
use crate::queue::{Queue, QueueFull, Stats};
use crate::store::Store;

/// The largest event, in bytes of JSON.
const LARGEST_EVENT: usize = 16 * 1024;
/// How long a client may take to send one.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a request with `durable=true` waits for its commit.
pub(crate) const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// When a refused client should try again, in seconds.
const RETRY_AFTER: &str = "1";
const EVENTS_A_PAGE: u16 = 100;
const MOST_EVENTS_A_PAGE: u16 = 1000;

#[derive(Clone)]
pub(crate) struct Tracker {
    pub(crate) queue: Arc<Queue>,
    pub(crate) store: Store,
}

/// `POST /events` with the given handler, `GET /events?after=..&limit=..` and `GET /stats`.
pub(crate) fn router(record: MethodRouter<Tracker>) -> Router<Tracker> {
    Router::new()
        .route("/events", record.get(events))
        .route("/stats", get(stats))
        .layer(DefaultBodyLimit::max(LARGEST_EVENT))
}

/// The query parameters of `POST /events`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct How {
    /// Respond when the event is committed, not when it is accepted.
    #[serde(default)]
    pub(crate) durable: bool,
}

/// Reads an event from a request.
pub(crate) async fn read_event(request: Request) -> Result<NewEvent, Refusal> {
    let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await.map_err(|_| Refusal::Stalled)?;
    // During a stop a client may have less time; then the server ends the body.
    let body = body.map_err(|error| if is_stalled(&error) { Refusal::Stalled } else { Refusal::Body(error) })?;
    serde_json::from_slice(&body).map_err(Refusal::Json)
}

/// Returns true if the server ended the body because the client stopped sending.
fn is_stalled(rejection: &BytesRejection) -> bool {
    let mut errors = std::iter::successors(Some(rejection as &(dyn Error + 'static)), |&error| error.source());
    errors.any(|error| error.downcast_ref::<BodyError>().is_some_and(BodyError::is_stalled))
}

/// The response for an accepted event.
#[derive(Serialize)]
pub(crate) struct Created {
    pub(crate) id: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    after: i64,
    limit: Option<u16>,
}

#[derive(Serialize)]
struct Events {
    events: Vec<StoredEvent>,
    /// The `after` of the next request.
    last: i64,
}

async fn events(
    State(tracker): State<Tracker>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Events>, Refusal> {
    let Query(Page { after, limit }) = page.map_err(Refusal::Query)?;
    let limit = limit.unwrap_or(EVENTS_A_PAGE).min(MOST_EVENTS_A_PAGE);
    let events = tracker.store.events(after, limit.into()).await.map_err(Refusal::Database)?;
    let last = events.last().map_or(after, |event| event.position);
    Ok(Json(Events { events, last }))
}

async fn stats(State(tracker): State<Tracker>) -> Json<Stats> {
    Json(tracker.queue.stats())
}

/// Why a request was refused.
pub(crate) enum Refusal {
    Query(QueryRejection),
    Body(BytesRejection),
    Json(serde_json::Error),
    Stalled,
    QueueFull,
    NotCommitted(Uuid),
    Database(sqlx::Error),
}

impl From<QueueFull> for Refusal {
    fn from(QueueFull: QueueFull) -> Self {
        Refusal::QueueFull
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Refusal::Query(rejection) => (rejection.status(), rejection.body_text()),
            Refusal::Body(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("an event has at most {LARGEST_EVENT} bytes"))
            }
            Refusal::Body(rejection) => (rejection.status(), rejection.body_text()),
            Refusal::Json(error) => (StatusCode::BAD_REQUEST, format!("not an event: {error}")),
            Refusal::Stalled => {
                (StatusCode::REQUEST_TIMEOUT, format!("the event was not sent within {BODY_TIMEOUT:?}"))
            }
            Refusal::QueueFull => (StatusCode::SERVICE_UNAVAILABLE, "the database is behind".to_owned()),
            Refusal::NotCommitted(id) => {
                (StatusCode::GATEWAY_TIMEOUT, format!("event {id} is not committed yet, and may be later"))
            }
            Refusal::Database(error) => {
                tracing::warn!("cannot read events: {error}");
                (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer".to_owned())
            }
        };
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        let further = match status {
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, RETRY_AFTER)),
            // The rest of the event may still arrive, and must not be read as the next request.
            StatusCode::REQUEST_TIMEOUT => Some((header::CONNECTION, "close")),
            _ => None,
        };
        response.headers_mut().extend(further.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}
