use canstop::spawn_session;

fn main() {
    spawn_session!(async {}).await.unwrap();
}
