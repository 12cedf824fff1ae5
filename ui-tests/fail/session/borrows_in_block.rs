use canstop::spawn_session;

#[canstop::main]
async fn main() {
    let name = String::from("a");
    spawn_session!(async {
        println!("{name}");
    });
}
