//! Submissions that fail half-way.

use tflite_vulkan::caps::Submission;
use tflite_vulkan::error::Error;
use tflite_vulkan::runtime::Session;

use crate::child::Child;
use crate::net::{self, Net};
use crate::vulkan::{Fault, LIBRARY, NONE, Vulkan, compile};

/// The first parts of a split submission run though a later one was refused: they are waited for.
#[test]
fn the_first_parts_of_a_submission_are_pending() {
    let library = compile("split");
    Child::new("faults::split").env(LIBRARY, &library).env("VK_INSTANCE_LAYERS", "").expect_success();
    std::fs::remove_file(library).unwrap();
}

#[test]
#[ignore = "a child of the_first_parts_of_a_submission_are_pending"]
fn split() {
    const CPU: i32 = 4;
    let vulkan = Vulkan::open();
    // Where nobody polls.
    vulkan.set("fault_kind", CPU);
    let most = Submission { seconds: f64::INFINITY, dispatches: 1 };
    let mut session = Session::new(net::device()).with_submission(most);
    let recording = Net::sample(1000).prepare(&mut session).unwrap();
    assert_eq!(session.stats().submissions, 4);
    // How many submissions fail from the second on, and how often the next run waits: once for itself, and once for
    // the first part, unless nothing but the queue could tell when that was done.
    for (times, waits) in [(1, 2), (2, 1)] {
        vulkan.plan("vkQueueSubmit", 2, Fault { name: "refused", result: -2, times });
        let refused = net::run(&mut session, &recording, &net::ramp(1000, 0));
        assert!(matches!(refused, Err(Error::Driver { call: "vkQueueSubmit", .. })), "{refused:?}");
        assert_eq!(vulkan.calls(), 3, "one more for the fence");
        vulkan.plan("vkWaitForFences", 0, NONE);
        net::check_recording(&mut session, &recording, 1000, 1);
        assert_eq!(vulkan.calls(), waits);
    }
    drop((recording, session));
    assert_eq!(vulkan.live(), 0);
}
