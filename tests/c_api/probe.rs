//! A second delegate that takes nothing and looks at what the first one has left.

use std::ffi::CStr;
use std::ptr::null_mut;

use tflite_vulkan::tflite::sys;

/// What a subgraph consists of after our delegate had its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Our kernels.
    pub kernels: usize,
    /// Other nodes.
    pub others: usize,
}

/// A delegate for one interpreter; it must outlive it.
pub struct Probe {
    raw: sys::TfLiteDelegate,
    seen: Vec<Seen>,
}

impl Probe {
    pub fn new() -> Box<Self> {
        let mut raw = sys::TfLiteDelegate { Prepare: Some(prepare), ..Default::default() };
        raw.flags = sys::kTfLiteDelegateFlagsAllowDynamicTensors;
        Box::new(Self { raw, seen: Vec::new() })
    }

    /// For an interpreter.
    pub fn raw(&mut self) -> *mut sys::TfLiteDelegate {
        self.raw.data_ = (&raw mut *self).cast();
        &raw mut self.raw
    }

    /// Per subgraph, in the order in which the host prepared them.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }
}

unsafe extern "C" fn prepare(
    context: *mut sys::TfLiteContext,
    delegate: *mut sys::TfLiteDelegate,
) -> sys::TfLiteStatus {
    let mut seen = Seen { kernels: 0, others: 0 };
    // SAFETY: the host passes a context and our own delegate.
    unsafe {
        let mut plan = null_mut();
        assert_eq!((*context).GetExecutionPlan.unwrap()(context, &mut plan), sys::kTfLiteOk);
        for i in 0..(*plan).size as usize {
            let index = *(&raw const (*plan).data).cast::<i32>().add(i);
            let (mut node, mut registration) = (null_mut(), null_mut());
            let get = (*context).GetNodeAndRegistration.unwrap();
            assert_eq!(get(context, index, &mut node, &mut registration), sys::kTfLiteOk);
            let name = (*registration).custom_name;
            let ours = !name.is_null() && CStr::from_ptr(name) == c"TfLiteVulkanDelegate";
            *(if ours { &mut seen.kernels } else { &mut seen.others }) += 1;
        }
        (*(*delegate).data_.cast::<Probe>()).seen.push(seen);
    }
    sys::kTfLiteOk
}
