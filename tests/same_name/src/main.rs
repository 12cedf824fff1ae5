//! A binary with the same name as its library.

use canstop::Lifecycle;

#[canstop::service]
async fn of_the_binary(_lifecycle: Lifecycle) {
    println!("the binary's service runs");
}

mod linked {
    #[canstop::main(link(canstop_same_name))]
    pub(crate) async fn main() {}
}

mod unlinked {
    #[canstop::main]
    pub(crate) async fn main() {}
}

fn main() -> std::process::ExitCode {
    canstop_same_name::used();
    if std::env::args().any(|argument| argument == "linked") { linked::main() } else { unlinked::main() }
}
