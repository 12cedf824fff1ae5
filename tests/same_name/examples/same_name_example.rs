//! An example of the package: it runs only its own service.

use canstop::Lifecycle;

#[canstop::service]
async fn of_the_example(_lifecycle: Lifecycle) {
    println!("the example's service runs");
}

#[canstop::main]
async fn main() {
    canstop_same_name::used();
}
