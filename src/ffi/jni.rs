//! The native methods of the Java class `dev.tflitevulkan.VulkanDelegate`.
//!
//! JNI's function table is declared as far as it is used: Java's specification fixes the place of each function in
//! it. Texts cross as UTF-16, because JNI's own UTF-8 is not everyone's.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use super::callbacks::Handle;
use super::guard::{guard, guard_creation};
use crate::delegate::Delegate;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::tflite::sys::TfLiteDelegate;
use crate::vk::Device;

/// A local reference to a Java object, or null.
type Object = *mut c_void;
/// A function of the table that is not used.
type Unused = *const c_void;
type Raw = *mut *const Functions;

/// `JNINativeInterface`; the numbers are places in it.
#[repr(C)]
pub struct Functions {
    _0: [Unused; 6],
    find_class: unsafe extern "system" fn(Raw, *const c_char) -> Object,
    _7: [Unused; 6],
    throw: unsafe extern "system" fn(Raw, Object) -> c_int,
    _14: [Unused; 9],
    delete_local_ref: unsafe extern "system" fn(Raw, Object),
    _24: [Unused; 6],
    new_object_a: unsafe extern "system" fn(Raw, Object, *const c_void, *const Object) -> Object,
    _31: [Unused; 2],
    get_method_id: unsafe extern "system" fn(Raw, Object, *const c_char, *const c_char) -> *const c_void,
    _34: [Unused; 129],
    new_string: unsafe extern "system" fn(Raw, *const u16, c_int) -> Object,
    get_string_length: unsafe extern "system" fn(Raw, Object) -> c_int,
    _165: [Unused; 6],
    get_array_length: unsafe extern "system" fn(Raw, Object) -> c_int,
    _172: [Unused; 1],
    get_object_array_element: unsafe extern "system" fn(Raw, Object, c_int) -> Object,
    _174: [Unused; 46],
    get_string_region: unsafe extern "system" fn(Raw, Object, c_int, c_int, *mut u16),
}

const _: () = {
    let size = size_of::<Unused>();
    assert!(std::mem::offset_of!(Functions, new_object_a) == 30 * size);
    assert!(std::mem::offset_of!(Functions, new_string) == 163 * size);
    assert!(std::mem::offset_of!(Functions, get_string_region) == 220 * size);
};

/// The virtual machine as the running thread sees it, for the time of one call.
#[derive(Clone, Copy)]
struct Env(Raw);

/// What to throw for an option that is unknown or has a bad value.
const ILLEGAL_ARGUMENT: &CStr = c"java/lang/IllegalArgumentException";
/// What to throw where there is no device, although one is required.
const ILLEGAL_STATE: &CStr = c"java/lang/IllegalStateException";

impl Env {
    /// The functions of the virtual machine.
    ///
    /// # Safety
    /// The virtual machine gave this pointer to the native method that is running.
    unsafe fn functions<'a>(self) -> &'a Functions {
        // SAFETY: as the caller promises; the table lives as long as the virtual machine.
        unsafe { &**self.0 }
    }

    /// The text of a Java string; `None` of null. Unpaired surrogates become replacement characters.
    ///
    /// # Safety
    /// As for [`functions`](Self::functions); `string` is a `java.lang.String` or null.
    unsafe fn text(self, string: Object) -> Option<String> {
        if string.is_null() {
            return None;
        }
        // SAFETY: as the caller promises; the vector has as many units as are written.
        unsafe {
            let length = (self.functions().get_string_length)(self.0, string);
            let mut units = vec![0; length as usize];
            (self.functions().get_string_region)(self.0, string, 0, length, units.as_mut_ptr());
            Some(String::from_utf16_lossy(&units))
        }
    }

    /// A new Java string; null, with an exception pending, if memory is short.
    ///
    /// # Safety
    /// As for [`functions`](Self::functions).
    unsafe fn string(self, text: &str) -> Object {
        let units: Vec<u16> = text.encode_utf16().collect();
        // SAFETY: as the caller promises.
        unsafe { (self.functions().new_string)(self.0, units.as_ptr(), units.len() as c_int) }
    }

    /// Has the native method that is running throw an exception of `class` when it returns.
    ///
    /// # Safety
    /// As for [`functions`](Self::functions), and no exception is pending.
    unsafe fn throw(self, class: &CStr, why: &str) {
        let (name, signature) = (c"<init>".as_ptr(), c"(Ljava/lang/String;)V".as_ptr());
        // SAFETY: as the caller promises. A null stands for an exception that is pending instead, after which
        // nothing else may be called.
        unsafe {
            let class = (self.functions().find_class)(self.0, class.as_ptr());
            if class.is_null() {
                return;
            }
            let constructor = (self.functions().get_method_id)(self.0, class, name, signature);
            let why = if constructor.is_null() { null_mut() } else { self.string(why) };
            if why.is_null() {
                return;
            }
            let exception = (self.functions().new_object_a)(self.0, class, constructor, &why);
            if !exception.is_null() {
                (self.functions().throw)(self.0, exception);
            }
        }
    }

    /// The texts of a `String[]`; none of null.
    ///
    /// # Safety
    /// As for [`functions`](Self::functions); `array` is a `String[]` or null.
    unsafe fn texts(self, array: Object) -> Vec<Option<String>> {
        if array.is_null() {
            return Vec::new();
        }
        // SAFETY: as the caller promises; the index is within the array. Local references are few.
        unsafe {
            let length = (self.functions().get_array_length)(self.0, array);
            let element = |i| {
                let string = (self.functions().get_object_array_element)(self.0, array, i);
                let text = self.text(string);
                (self.functions().delete_local_ref)(self.0, string);
                text
            };
            (0..length).map(element).collect()
        }
    }

    /// The options that keys and values, two `String[]`, make.
    ///
    /// # Safety
    /// As for [`texts`](Self::texts).
    unsafe fn options(self, keys: Object, values: Object) -> Result<Options> {
        // SAFETY: as the caller promises.
        let (keys, values) = unsafe { (self.texts(keys), self.texts(values)) };
        if keys.len() != values.len() {
            let why = format!("{} keys have {} values", keys.len(), values.len());
            return Err(Error::Option(why));
        }
        let given = |text: &Option<String>| {
            text.clone().ok_or_else(|| Error::Option("a key or a value is null".into()))
        };
        let pairs: Vec<(String, String)> =
            keys.iter().zip(&values).map(|(k, v)| Ok((given(k)?, given(v)?))).collect::<Result<_>>()?;
        Options::parse(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }
}

/// `create(String[] keys, String[] values)`: a `TfLiteDelegate*`, or an exception with the reason.
///
/// # Safety
/// The virtual machine calls it.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_dev_tflitevulkan_VulkanDelegate_create(
    env: Raw,
    _class: Object,
    keys: Object,
    values: Object,
) -> i64 {
    let (env, class) = (Env(env), Cell::new(ILLEGAL_STATE));
    let failed = |why: &str| {
        // SAFETY: as the caller promises; nothing of what was called before throws.
        unsafe { env.throw(class.get(), why) };
        0
    };
    guard_creation(
        failed,
        |_| {},
        || {
            // SAFETY: as the caller promises.
            let options = unsafe { env.options(keys, values) };
            let options = options.inspect_err(|_| class.set(ILLEGAL_ARGUMENT))?;
            Ok(Handle::give(Delegate::new(options)?) as i64)
        },
    )
}

/// `delete(long)`: deletes what `create` gave.
///
/// # Safety
/// The virtual machine calls it, once for each delegate.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_dev_tflitevulkan_VulkanDelegate_delete(
    _env: Raw,
    _class: Object,
    delegate: i64,
) {
    guard(
        (),
        |_| {},
        || {
            // SAFETY: as the caller promises.
            unsafe { Handle::take_back(delegate as *mut TfLiteDelegate) };
            Ok(())
        },
    );
}

/// `unavailable(String[] keys, String[] values)`: why no device can be used with these options, or null if one can.
///
/// # Safety
/// The virtual machine calls it.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_dev_tflitevulkan_VulkanDelegate_unavailable(
    env: Raw,
    _class: Object,
    keys: Object,
    values: Object,
) -> Object {
    let env = Env(env);
    let mut reason = None;
    guard(
        (),
        |why| reason = Some(why.to_owned()),
        || {
            // SAFETY: as the caller promises.
            let options = unsafe { env.options(keys, values)? };
            Device::open(&options).map(drop)
        },
    );
    // SAFETY: as above.
    reason.map_or(null_mut(), |why| unsafe { env.string(&why) })
}

/// `version()`: that of this library, as `0.1.0`.
///
/// # Safety
/// The virtual machine calls it.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_dev_tflitevulkan_VulkanDelegate_version(
    env: Raw,
    _class: Object,
) -> Object {
    // SAFETY: as the caller promises.
    unsafe { Env(env).string(env!("CARGO_PKG_VERSION")) }
}
