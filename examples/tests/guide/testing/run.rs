use canstop::Lifecycle;
use canstop::testing::Supervisor;
use tokio::sync::mpsc;

#[canstop::service(restart = "never")]
async fn sum(_: Lifecycle, mut numbers: mpsc::Receiver<u32>) -> Result<(), String> {
    let mut sum = 0;
    while let Some(number) = numbers.recv().await {
        sum += number;
    }
    if sum == 6 { Ok(()) } else { Err(format!("{sum} is not 6")) }
}

#[canstop::test]
async fn the_sum_is_right(sup: Supervisor) {
    let (numbers, receiver) = mpsc::channel(8);
    for number in [1, 2, 3] {
        numbers.send(number).await.unwrap();
    }
    drop(numbers);
    assert_eq!(sum(receiver).run(sup.lifecycle()).await, Ok(()));
}
