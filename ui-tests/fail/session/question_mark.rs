use canstop::spawn_session;

#[canstop::main]
async fn main() {
    spawn_session!(async {
        tokio::task::spawn(async {}).await?;
        Ok(())
    });
}
