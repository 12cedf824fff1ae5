use canstop::spawn_session;
use tokio::sync::oneshot;

#[canstop::main]
async fn main() {
    let (sender, receiver) = oneshot::channel();
    spawn_session!(async move { receiver.await.unwrap_or_default() });
    sender.send(7_u32).unwrap();
}
