use std::rc::Rc;

use canstop::spawn_session;

async fn name() -> Rc<str> {
    "a".into()
}

#[canstop::main]
async fn main() {
    spawn_session!(name());
}
