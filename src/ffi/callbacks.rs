//! The `TfLiteDelegate` that hosts hold, and the functions that they find in it and in the kernels'
//! registration.

use std::cell::UnsafeCell;
use std::ffi::{CString, c_char, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::guard::{c_text, guard};
use super::litert_lender::Lender;
use crate::delegate::{Delegate, DelegateKernel};
use crate::error::{Error, Result};
use crate::tflite::{Context, Partition, sys};
use crate::vk;

/// A `TfLiteDelegate` with what is behind it. The host owns one reference and each kernel another:
/// it lives until the delegate is deleted and the last kernel is freed, in whichever order.
#[repr(C)]
pub struct Handle {
    /// First, so that a pointer to it is a pointer to the whole.
    raw: UnsafeCell<sys::TfLiteDelegate>,
    /// Or why there is none.
    delegate: Result<Delegate>,
    /// How tensors get into buffers of the device, if the host is LiteRT's `CompiledModel`.
    lender: Option<Lender>,
}

// SAFETY: only the host looks at `raw`, and its pointers are never followed.
unsafe impl Send for Handle {}
// SAFETY: as above; the rest is `Sync` already.
unsafe impl Sync for Handle {}

impl Handle {
    /// Gives the host its reference.
    pub fn give(delegate: Delegate) -> *mut sys::TfLiteDelegate {
        Self::give_with(delegate, None)
    }

    /// Gives LiteRT its reference.
    pub fn give_with(delegate: Delegate, lender: Option<Lender>) -> *mut sys::TfLiteDelegate {
        Self::give_result(Ok(delegate), lender)
    }

    /// Gives the host a delegate that fails in `Prepare`, for this reason.
    pub fn give_failed(why: &str) -> *mut sys::TfLiteDelegate {
        Self::give_result(Err(Error::Host(format!("the delegate could not be created: {why}"))), None)
    }

    fn give_result(delegate: Result<Delegate>, lender: Option<Lender>) -> *mut sys::TfLiteDelegate {
        let raw = sys::TfLiteDelegate {
            data_: null_mut(),
            Prepare: Some(prepare_delegate),
            CopyFromBufferHandle: None,
            CopyToBufferHandle: None,
            FreeBufferHandle: None,
            flags: sys::kTfLiteDelegateFlagsAllowDynamicTensors,
            opaque_delegate_builder: null_mut(),
        };
        Arc::into_raw(Arc::new(Self { raw: UnsafeCell::new(raw), delegate, lender })).cast_mut().cast()
    }

    /// Takes the host's reference back.
    ///
    /// # Safety
    /// `raw` is NULL or from [`give`](Self::give), whose reference was not taken back.
    pub unsafe fn take_back(raw: *mut sys::TfLiteDelegate) {
        if !raw.is_null() {
            // SAFETY: as the caller promises.
            leave(unsafe { Arc::from_raw(raw.cast_const().cast::<Self>()) });
        }
    }

    /// What decides, or why there is nothing that could.
    pub(super) fn delegate(&self) -> Result<&Delegate> {
        self.delegate.as_ref().map_err(Clone::clone)
    }

    /// Another reference.
    ///
    /// # Safety
    /// `raw` is NULL or from [`give`](Self::give), and some reference exists.
    pub(super) unsafe fn share(raw: *mut sys::TfLiteDelegate) -> Result<Arc<Self>> {
        if raw.is_null() {
            return Err(Error::Host("the delegate is NULL".into()));
        }
        // SAFETY: as the caller promises.
        unsafe {
            let handle = raw.cast_const().cast::<Self>();
            Arc::increment_strong_count(handle);
            Ok(Arc::from_raw(handle))
        }
    }
}

/// Drops what was the host's, but nothing in a forked child: threads that it lacks may have been at work on it.
fn leave<T>(what: T) {
    if vk::is_forked() {
        std::mem::forget(what);
    }
}

/// What `TfLiteNode.user_data` of a delegated partition points to.
struct UserData {
    /// Or why there is none: a failing `init` would crash hosts, so the partition fails in `prepare`.
    kernel: Result<Mutex<DelegateKernel>>,
    /// What profilers show.
    label: CString,
    /// Dropped last: the host may use the delegate's struct until its kernels are gone.
    handle: Option<Arc<Handle>>,
}

impl UserData {
    /// # Safety
    /// `node` is NULL or a node whose `user_data` is NULL or came from `init_kernel` and was not freed.
    unsafe fn of<'a>(node: *const sys::TfLiteNode) -> Result<&'a Self> {
        // SAFETY: as the caller promises.
        let data = unsafe { node.as_ref().and_then(|node| node.user_data.cast::<Self>().as_ref()) };
        data.ok_or_else(|| Error::Host("the node has no kernel".into()))
    }

    fn lock(&self) -> Result<MutexGuard<'_, DelegateKernel>> {
        let kernel = self.kernel.as_ref().map_err(Clone::clone)?;
        // A thread that a forked child lacks may hold the lock.
        vk::not_forked()?;
        Ok(kernel.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a partition becomes. Passed by value: it must be as large as the newest host expects.
fn registration() -> sys::TfLiteRegistration {
    sys::TfLiteRegistration {
        init: Some(init_kernel),
        free: Some(free_kernel),
        prepare: Some(prepare_kernel),
        invoke: Some(invoke_kernel),
        profiling_string: Some(describe_kernel),
        builtin_code: sys::kTfLiteBuiltinDelegate as i32,
        custom_name: c"TfLiteVulkanDelegate".as_ptr(),
        version: 1,
        registration_external: null_mut(),
        async_kernel: None,
        inplace_operator: 0,
    }
}

/// Answers OK or an error; the host's reporter is told which.
///
/// # Safety
/// As for [`Context::new`].
unsafe fn status(
    context: *mut sys::TfLiteContext,
    f: impl FnOnce(&mut Context<'_>) -> Result<()>,
) -> sys::TfLiteStatus {
    // SAFETY: as the caller promises.
    let context = || unsafe { Context::new(context) };
    let tell = |why: &str| context().map_or((), |context| context.report(&format!("tflite-vulkan: {why}")));
    guard(sys::kTfLiteError, tell, || f(&mut context()?).map(|()| sys::kTfLiteOk))
}

/// `TfLiteDelegate.Prepare`: called once per subgraph.
unsafe extern "C" fn prepare_delegate(
    context: *mut sys::TfLiteContext,
    delegate: *mut sys::TfLiteDelegate,
) -> sys::TfLiteStatus {
    // SAFETY: the host calls this with a context and the struct that it found this function in.
    unsafe {
        status(context, |context| {
            let handle = Handle::share(delegate)?;
            let ours = handle.delegate()?;
            let nodes = ours.plan(context);
            let replaced =
                if nodes.is_empty() { Ok(()) } else { context.replace(&nodes, registration(), delegate) };
            ours.forget(context.id());
            replaced
        })
    }
}

/// `TfLiteRegistration.init`: never fails.
unsafe extern "C" fn init_kernel(
    context: *mut sys::TfLiteContext,
    buffer: *const c_char,
    _length: usize,
) -> *mut c_void {
    guard(
        null_mut(),
        |_| {},
        || {
            // SAFETY: the host passes the partition in `buffer` to a kernel of builtin code DELEGATE, and
            // the delegate in it is the one whose `Prepare` is running.
            let (partition, delegate) = unsafe {
                let params = buffer.cast::<sys::TfLiteDelegateParams>().as_ref();
                params.map_or((Partition::default(), null_mut()), |p| (Partition::read(p), p.delegate))
            };
            // SAFETY: as above.
            let handle = unsafe { Handle::share(delegate) };
            let kernel = handle
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|h| h.delegate()?.take(context as usize, partition.nodes));
            let lender = handle.as_ref().ok().and_then(|handle| handle.lender);
            if let (Some(lender), Ok(kernel)) = (lender, &kernel) {
                // SAFETY: the context is the host's.
                unsafe { lender.ask(context, &kernel.direct_tensors()) };
            }
            let label =
                kernel.as_ref().map_or(String::new(), |kernel| format!("{} nodes", kernel.node_count()));
            let data =
                UserData { kernel: kernel.map(Mutex::new), label: c_text(&label), handle: handle.ok() };
            Ok(Box::into_raw(Box::new(data)).cast())
        },
    )
}

/// `TfLiteRegistration.free`: may come after the delegate was deleted.
unsafe extern "C" fn free_kernel(_context: *mut sys::TfLiteContext, user_data: *mut c_void) {
    guard(
        (),
        |_| {},
        || {
            if !user_data.is_null() {
                // SAFETY: the host frees once what `init_kernel` gave it.
                leave(unsafe { Box::from_raw(user_data.cast::<UserData>()) });
            }
            Ok(())
        },
    );
}

/// `TfLiteRegistration.prepare`: after every change of shapes, possibly within an invoke.
unsafe extern "C" fn prepare_kernel(
    context: *mut sys::TfLiteContext,
    node: *mut sys::TfLiteNode,
) -> sys::TfLiteStatus {
    // SAFETY: the host calls this with its context and a node of this kernel.
    unsafe { status(context, |context| UserData::of(node)?.lock()?.prepare(context)) }
}

/// `TfLiteRegistration.invoke`: on any thread.
unsafe extern "C" fn invoke_kernel(
    context: *mut sys::TfLiteContext,
    node: *mut sys::TfLiteNode,
) -> sys::TfLiteStatus {
    // SAFETY: as above.
    unsafe {
        status(context, |ours| {
            let data = UserData::of(node)?;
            let mut kernel = data.lock()?;
            let Some(lender) = data.handle.as_ref().and_then(|handle| handle.lender) else {
                return kernel.invoke(ours);
            };
            let lent = lender.lend(context, kernel.tensors())?;
            kernel.invoke_with(ours, lent.bound())
        })
    }
}

/// `TfLiteRegistration.profiling_string`: the text lives as long as the kernel.
unsafe extern "C" fn describe_kernel(
    _context: *const sys::TfLiteContext,
    node: *const sys::TfLiteNode,
) -> *const c_char {
    // SAFETY: as above.
    let data = unsafe { node.as_ref().and_then(|node| node.user_data.cast::<UserData>().as_ref()) };
    data.map_or(c"".as_ptr(), |data| data.label.as_ptr())
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;
    use crate::options::Options;
    use crate::tflite::mock::Host;

    /// A delegate on a device that does not exist.
    fn delegate() -> *mut sys::TfLiteDelegate {
        let options = Options {
            device: Some("no device has this name".into()),
            log_level: log::LevelFilter::Off,
            ..Options::default()
        };
        Handle::give(Delegate::new(options).unwrap())
    }

    fn weak(delegate: *mut sys::TfLiteDelegate) -> Weak<Handle> {
        // SAFETY: the delegate is alive.
        Arc::downgrade(&unsafe { Handle::share(delegate) }.unwrap())
    }

    /// A host with one ADD.
    fn host() -> Box<Host> {
        let mut host = Host::new();
        for _ in 0..3 {
            host.tensor(&[2]);
        }
        host.node(sys::kTfLiteBuiltinAdd, &[0, 1], &[2]);
        host
    }

    #[test]
    fn without_a_device_nothing_is_claimed() {
        let (delegate, mut host) = (delegate(), host());
        // SAFETY: this is what a host does.
        unsafe {
            let prepare = (*delegate).Prepare.unwrap();
            assert_eq!((*delegate).flags, 1);
            assert!((*delegate).opaque_delegate_builder.is_null());
            assert_eq!(prepare(&raw mut host.raw, delegate), sys::kTfLiteOk);
            assert!(host.registration.is_none());
            assert_eq!(prepare(null_mut(), delegate), sys::kTfLiteError);
            assert_eq!(prepare(&raw mut host.raw, null_mut()), sys::kTfLiteError);
            Handle::take_back(delegate);
            Handle::take_back(null_mut());
        }
    }

    /// `init` cannot say no: hosts of 2.14 crash. So the partition fails later, with the reason.
    #[test]
    fn a_kernel_that_cannot_be_made_fails_in_prepare() {
        let (delegate, mut host) = (delegate(), host());
        let context = &raw mut host.raw;
        let (nodes, none) = (host.ints(&[0]), null_mut());
        let params = sys::TfLiteDelegateParams {
            delegate,
            nodes_to_replace: nodes,
            input_tensors: none,
            output_tensors: none,
        };
        // SAFETY: this is what a host does, with a partition that `Prepare` never announced.
        unsafe {
            for buffer in [(&raw const params).cast(), std::ptr::null()] {
                let kernel = init_kernel(context, buffer, size_of_val(&params));
                assert!(!kernel.is_null() && kernel.addr() != usize::MAX);
                let mut node = sys::TfLiteNode { user_data: kernel, ..Default::default() };
                assert_eq!(prepare_kernel(context, &raw mut node), sys::kTfLiteError);
                assert_eq!(invoke_kernel(context, &raw mut node), sys::kTfLiteError);
                assert!(!describe_kernel(context, &raw const node).is_null());
                free_kernel(context, kernel);
            }
            Handle::take_back(delegate);
        }
    }

    #[test]
    fn a_delegate_that_was_not_created_fails_in_prepare() {
        let (delegate, mut host) = (Handle::give_failed("a misspelt option"), host());
        // SAFETY: this is what a host does.
        unsafe {
            let prepare = (*delegate).Prepare.unwrap();
            assert_eq!(prepare(&raw mut host.raw, delegate), sys::kTfLiteError);
            assert!(host.registration.is_none());
            let kernel = init_kernel(&raw mut host.raw, std::ptr::null(), 0);
            free_kernel(&raw mut host.raw, kernel);
            Handle::take_back(delegate);
        }
    }

    #[test]
    fn a_node_without_kernel_is_an_error() {
        let mut host = host();
        let context = &raw mut host.raw;
        let mut node = sys::TfLiteNode::default();
        // SAFETY: NULL is what is tested.
        unsafe {
            for node in [&raw mut node, null_mut()] {
                assert_eq!(prepare_kernel(context, node), sys::kTfLiteError);
                assert_eq!(invoke_kernel(context, node), sys::kTfLiteError);
                assert!(!describe_kernel(context, node).is_null());
            }
            assert_eq!(prepare_kernel(null_mut(), &raw mut node), sys::kTfLiteError);
            free_kernel(null_mut(), null_mut());
        }
    }

    #[test]
    fn the_delegate_lives_as_long_as_its_kernels() {
        let (delegate, mut host) = (delegate(), host());
        let (alive, none) = (weak(delegate), null_mut());
        let params = sys::TfLiteDelegateParams {
            delegate,
            nodes_to_replace: none,
            input_tensors: none,
            output_tensors: none,
        };
        // SAFETY: this is what a host does that destroys the delegate before the interpreter.
        unsafe {
            let kernels = [(); 2].map(|()| init_kernel(&raw mut host.raw, (&raw const params).cast(), 0));
            Handle::take_back(delegate);
            assert!(alive.upgrade().is_some());
            kernels.into_iter().for_each(|kernel| free_kernel(&raw mut host.raw, kernel));
            assert!(alive.upgrade().is_none());
        }
    }
}
