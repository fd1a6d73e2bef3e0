//! TensorFlow Lite's C interface, from the library that the environment names.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use libloading::Library;
use tflite_vulkan::tflite::sys::{TfLiteDelegate, TfLiteStatus, TfLiteTensor, kTfLiteOk};

use crate::delegate::Delegate;
use crate::probe::{Probe, Seen};

const UNSET: &str = "TFLITE_C_LIBRARY must name a TensorFlow Lite C library, such as liblitert-lm.so of PyPI's \
    litert-lm-api; `make test` fetches it";

macro_rules! functions {
    ($($name:ident: $type:ty,)*) => {
        #[expect(non_snake_case, reason = "C's names")]
        struct Api { $($name: $type,)* }

        fn api() -> &'static Api {
            static API: OnceLock<Api> = OnceLock::new();
            API.get_or_init(|| {
                let path = std::env::var_os("TFLITE_C_LIBRARY").expect(UNSET);
                // SAFETY: loading TensorFlow Lite runs nothing but its constructors; it is never unloaded.
                let library: &'static Library = Box::leak(Box::new(unsafe { Library::new(&path) }.unwrap()));
                // SAFETY: the types are those of TensorFlow Lite's headers.
                unsafe { Api { $($name: *library.get(stringify!($name).as_bytes()).unwrap(),)* } }
            })
        }
    };
}

type Raw = *mut c_void;
type Reporter = unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void);

/// TFLite's `TfLiteCustomAllocation`.
#[repr(C)]
struct CustomAllocation {
    data: *mut c_void,
    bytes: usize,
}

functions! {
    TfLiteModelCreate: unsafe extern "C" fn(*const u8, usize) -> Raw,
    TfLiteModelDelete: unsafe extern "C" fn(Raw),
    TfLiteInterpreterOptionsCreate: unsafe extern "C" fn() -> Raw,
    TfLiteInterpreterOptionsDelete: unsafe extern "C" fn(Raw),
    TfLiteInterpreterOptionsAddDelegate: unsafe extern "C" fn(Raw, *mut TfLiteDelegate),
    TfLiteInterpreterOptionsSetErrorReporter: unsafe extern "C" fn(Raw, Reporter, *mut c_void),
    TfLiteInterpreterOptionsSetNumThreads: unsafe extern "C" fn(Raw, c_int),
    TfLiteInterpreterCreate: unsafe extern "C" fn(Raw, Raw) -> Raw,
    TfLiteInterpreterDelete: unsafe extern "C" fn(Raw),
    TfLiteInterpreterAllocateTensors: unsafe extern "C" fn(Raw) -> TfLiteStatus,
    TfLiteInterpreterInvoke: unsafe extern "C" fn(Raw) -> TfLiteStatus,
    TfLiteInterpreterResizeInputTensor: unsafe extern "C" fn(Raw, c_int, *const c_int, c_int) -> TfLiteStatus,
    TfLiteInterpreterGetInputTensor: unsafe extern "C" fn(Raw, c_int) -> Raw,
    TfLiteInterpreterGetOutputTensor: unsafe extern "C" fn(Raw, c_int) -> Raw,
    TfLiteInterpreterInputTensorIndices: unsafe extern "C" fn(Raw) -> *const c_int,
    TfLiteInterpreterOutputTensorIndices: unsafe extern "C" fn(Raw) -> *const c_int,
    TfLiteInterpreterSetCustomAllocationForTensor:
        unsafe extern "C" fn(Raw, c_int, *const CustomAllocation, i64) -> TfLiteStatus,
    TfLiteTensorNumDims: unsafe extern "C" fn(Raw) -> i32,
    TfLiteTensorDim: unsafe extern "C" fn(Raw, i32) -> i32,
    TfLiteTensorByteSize: unsafe extern "C" fn(Raw) -> usize,
    TfLiteTensorData: unsafe extern "C" fn(Raw) -> *mut u8,
}

unsafe extern "C" {
    /// The last parameter is a `va_list`, which 64-bit ABIs pass as a pointer.
    fn vsnprintf(to: *mut c_char, bytes: usize, format: *const c_char, arguments: *mut c_void) -> c_int;
}

/// A model of `models/`.
pub struct Model {
    raw: Raw,
    _bytes: Vec<u8>,
}

// SAFETY: TensorFlow Lite only reads models.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Model {
    pub fn new(name: &str) -> Self {
        let path = format!("{}/tests/c_api/models/{name}.tflite", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        // SAFETY: the bytes live as long as the model.
        let raw = unsafe { (api().TfLiteModelCreate)(bytes.as_ptr(), bytes.len()) };
        assert!(!raw.is_null());
        Self { raw, _bytes: bytes }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: interpreters borrow the model.
        unsafe { (api().TfLiteModelDelete)(self.raw) };
    }
}

/// What was reported. Its address is given to the host.
#[derive(Default)]
struct Errors(Vec<String>);

/// An interpreter with our delegate, and with the probe behind it.
pub struct Interpreter<'a> {
    raw: Raw,
    probe: Box<Probe>,
    errors: Box<Errors>,
    _model: &'a Model,
}

// SAFETY: an interpreter may move between threads.
unsafe impl Send for Interpreter<'_> {}

impl<'a> Interpreter<'a> {
    /// The delegate may be dropped earlier than the interpreter: that is what is tested.
    pub fn new(model: &'a Model, delegate: &Delegate) -> Result<Self, String> {
        let mut probe = Probe::new();
        let mut errors: Box<Errors> = Box::default();
        // SAFETY: the functions are called as their headers say.
        let raw = unsafe {
            let options = (api().TfLiteInterpreterOptionsCreate)();
            (api().TfLiteInterpreterOptionsSetNumThreads)(options, 1);
            (api().TfLiteInterpreterOptionsSetErrorReporter)(options, report, (&raw mut *errors).cast());
            (api().TfLiteInterpreterOptionsAddDelegate)(options, delegate.raw());
            (api().TfLiteInterpreterOptionsAddDelegate)(options, probe.raw());
            let raw = (api().TfLiteInterpreterCreate)(model.raw, options);
            (api().TfLiteInterpreterOptionsDelete)(options);
            raw
        };
        if raw.is_null() { Err(errors.0.join("; ")) } else { Ok(Self { raw, probe, errors, _model: model }) }
    }

    /// As `new`, with tensors allocated.
    pub fn allocated(model: &'a Model, delegate: &Delegate) -> Self {
        let mut interpreter = Self::new(model, delegate).unwrap();
        interpreter.allocate().unwrap();
        interpreter
    }

    /// Per subgraph: our kernels, and what is left.
    pub fn seen(&self) -> &[Seen] {
        self.probe.seen()
    }

    fn answer(&mut self, status: TfLiteStatus) -> Result<(), String> {
        let errors = self.errors.0.join("; ");
        self.errors.0.clear();
        if status == kTfLiteOk { Ok(()) } else { Err(format!("status {status}: {errors}")) }
    }

    pub fn allocate(&mut self) -> Result<(), String> {
        // SAFETY: the interpreter is alive.
        let status = unsafe { (api().TfLiteInterpreterAllocateTensors)(self.raw) };
        self.answer(status)
    }

    pub fn invoke(&mut self) -> Result<(), String> {
        // SAFETY: the interpreter is alive.
        let status = unsafe { (api().TfLiteInterpreterInvoke)(self.raw) };
        self.answer(status)
    }

    pub fn resize(&mut self, input: c_int, dims: &[c_int]) {
        // SAFETY: the interpreter is alive.
        let status = unsafe {
            (api().TfLiteInterpreterResizeInputTensor)(self.raw, input, dims.as_ptr(), dims.len() as c_int)
        };
        self.answer(status).unwrap();
    }

    /// Writes an input.
    pub fn set<T: Copy>(&mut self, input: c_int, values: &[T]) {
        // SAFETY: the tensor has as many bytes as are written.
        unsafe {
            let tensor = (api().TfLiteInterpreterGetInputTensor)(self.raw, input);
            assert_eq!((api().TfLiteTensorByteSize)(tensor), size_of_val(values));
            let data = (api().TfLiteTensorData)(tensor);
            data.copy_from_nonoverlapping(values.as_ptr().cast(), size_of_val(values));
        }
    }

    /// The shape and the numbers of an output of float32.
    pub fn get(&self, output: c_int) -> (Vec<i32>, Vec<f32>) {
        // SAFETY: the tensor has as many bytes as are read.
        unsafe {
            let tensor = (api().TfLiteInterpreterGetOutputTensor)(self.raw, output);
            let dims = (0..(api().TfLiteTensorNumDims)(tensor))
                .map(|d| (api().TfLiteTensorDim)(tensor, d))
                .collect();
            let bytes = (api().TfLiteTensorByteSize)(tensor);
            let data = (api().TfLiteTensorData)(tensor);
            let bytes = if bytes == 0 { &[] } else { std::slice::from_raw_parts(data, bytes) };
            (dims, bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
        }
    }

    /// Feeds float inputs, invokes, gives the numbers of the first output.
    pub fn run(&mut self, inputs: &[&[f32]]) -> Vec<f32> {
        inputs.iter().enumerate().for_each(|(i, values)| self.set(i as c_int, values));
        self.invoke().unwrap();
        self.get(0).1
    }

    /// The tensor of an input or an output.
    pub fn tensor(&self, output: bool, number: usize) -> *const TfLiteTensor {
        let get = if output {
            api().TfLiteInterpreterGetOutputTensor
        } else {
            api().TfLiteInterpreterGetInputTensor
        };
        // SAFETY: the interpreter is alive.
        unsafe { get(self.raw, number as c_int) }.cast()
    }

    /// Its index in the subgraph.
    pub fn index(&self, output: bool, number: usize) -> c_int {
        let indices = if output {
            api().TfLiteInterpreterOutputTensorIndices
        } else {
            api().TfLiteInterpreterInputTensorIndices
        };
        // SAFETY: the interpreter has such a tensor.
        unsafe { *indices(self.raw).add(number) }
    }

    /// Puts an input or an output into memory of ours, which must be aligned to 64 bytes.
    ///
    /// # Safety
    /// The memory outlives the interpreter, and nobody else uses it during an invoke.
    pub unsafe fn place(&mut self, output: bool, number: usize, memory: &mut [f32]) {
        let allocation = CustomAllocation { data: memory.as_mut_ptr().cast(), bytes: size_of_val(memory) };
        // SAFETY: the interpreter has such a tensor; the rest is the caller's promise.
        let status = unsafe {
            let index = self.index(output, number);
            (api().TfLiteInterpreterSetCustomAllocationForTensor)(self.raw, index, &allocation, 0)
        };
        self.answer(status).unwrap();
    }
}

impl Drop for Interpreter<'_> {
    fn drop(&mut self) {
        // SAFETY: the model and the probe are alive.
        unsafe { (api().TfLiteInterpreterDelete)(self.raw) };
    }
}

/// Collects what is reported in [`Errors`].
unsafe extern "C" fn report(errors: *mut c_void, format: *const c_char, arguments: *mut c_void) {
    let mut text = [0; 1024];
    // SAFETY: the host passes a format with its arguments, and the address of ours.
    unsafe {
        vsnprintf(text.as_mut_ptr(), text.len(), format, arguments);
        let text = CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned();
        (*errors.cast::<Errors>()).0.push(text);
    }
}
