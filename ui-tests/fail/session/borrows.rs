use canstop::spawn_session;

async fn serve(name: &str) {
    println!("{name}");
}

#[canstop::main]
async fn main() {
    let name = String::from("a");
    spawn_session!(serve(&name));
}
