//! A host with one node, which the fuzzer's bytes describe.

use std::ffi::c_int;
use std::ptr::null_mut;

use tflite_vulkan::op::Def;
use tflite_vulkan::tflite::{Context, sys};

use crate::bytes::Bytes;
use crate::forms;

/// The types that are fuzzed, with their sizes.
const TYPES: [(sys::TfLiteType, usize); 8] = [
    (sys::kTfLiteFloat32, 4),
    (sys::kTfLiteFloat16, 2),
    (sys::kTfLiteInt32, 4),
    (sys::kTfLiteInt64, 8),
    (sys::kTfLiteInt16, 2),
    (sys::kTfLiteInt8, 1),
    (sys::kTfLiteUInt8, 1),
    (sys::kTfLiteBool, 1),
];

/// Words of parameters: no struct has more.
const WORDS: usize = 12;

/// The context, and what it points to.
pub struct Host {
    raw: sys::TfLiteContext,
    tensors: Vec<sys::TfLiteTensor>,
    node: sys::TfLiteNode,
    registration: sys::TfLiteRegistration,
    arrays: Vec<Box<[i32]>>,
    data: Vec<Vec<u64>>,
    #[expect(clippy::vec_box, reason = "tensors hold their addresses")]
    scales: Vec<Box<sys::TfLiteAffineQuantization>>,
}

impl Host {
    /// A node of this operator.
    pub fn new(def: &Def, from: &mut Bytes<'_>) -> Box<Self> {
        let raw = sys::TfLiteContext { GetNodeAndRegistration: Some(node), ..Default::default() };
        let mut host = Box::new(Self {
            raw,
            tensors: Vec::new(),
            node: Default::default(),
            registration: Default::default(),
            arrays: Vec::new(),
            data: Vec::new(),
            scales: Vec::new(),
        });
        let code = def.builtin.unwrap_or(sys::kTfLiteBuiltinCustom);
        host.registration.builtin_code = code as i32;
        let usual = TYPES[from.below(TYPES.len())];
        let largest = def.takes.iter().map(|(_, version)| *version).max().unwrap_or(1);
        host.registration.version = if from.bit() { from.size() } else { largest };
        let form = forms::of(code);
        let formed = from.byte() < 160;
        let outputs = 1 + if formed { usize::from(from.byte() > 220) } else { from.below(3) };
        let inputs = if formed { form.len() } else { from.below(6) };
        let mut read: Vec<i32> = (0..inputs as i32).collect();
        let written: Vec<i32> = (inputs as i32..(inputs + outputs) as i32).collect();
        if formed {
            host.formed(from, usual, form, outputs);
        } else {
            for i in 0..inputs + outputs {
                host.tensor(from, usual, i < inputs);
            }
        }
        if from.byte() > 250 && !read.is_empty() {
            let at = from.below(read.len());
            read[at] = from.size();
        }
        (host.node.inputs, host.node.outputs) = (host.ints(&read), host.ints(&written));
        let small = formed && from.byte() < 200;
        host.parameters(code, from, small);
        host
    }

    fn ints(&mut self, of: &[i32]) -> *mut sys::TfLiteIntArray {
        self.arrays.push([of.len() as i32].iter().chain(of).copied().collect());
        self.arrays.last_mut().map_or(null_mut(), |array| array.as_mut_ptr().cast())
    }

    fn tensor(&mut self, from: &mut Bytes<'_>, usual: (sys::TfLiteType, usize), may_be_constant: bool) {
        let (type_, size) = if from.byte() < 180 { usual } else { TYPES[from.below(TYPES.len())] };
        let dims: Vec<i32> = (0..from.below(6)).map(|_| from.size()).collect();
        let mut tensor = sys::TfLiteTensor {
            type_,
            dims: self.ints(&dims),
            name: c"t".as_ptr(),
            allocation_type: sys::kTfLiteArenaRw,
            ..Default::default()
        };
        if may_be_constant && from.bit() {
            let elements = dims.iter().fold(1usize, |all, n| all.saturating_mul((*n).max(0) as usize));
            let bytes = elements.saturating_mul(size).min(1 << 12);
            let mut words = vec![0u64; bytes.div_ceil(8) + 1];
            for word in words.iter_mut().take(12) {
                *word = match size {
                    8 => i64::from(from.size()) as u64,
                    4 => u64::from(from.size() as u32) | u64::from(from.size() as u32) << 32,
                    // A boolean is 0 or 1.
                    _ if type_ == sys::kTfLiteBool => u64::from(from.word() as u32) & 0x0101_0101,
                    _ => u64::from(from.word() as u32),
                };
            }
            tensor.allocation_type = sys::kTfLiteMmapRo;
            tensor.data.raw = words.as_mut_ptr().cast();
            tensor.bytes = if from.byte() > 250 { bytes / 2 } else { bytes };
            self.data.push(words);
        }
        if from.byte() > 127 {
            let count = [1, 1, 1, dims.last().copied().unwrap_or(1).clamp(0, 64)][from.below(4)];
            let scales: Vec<i32> = (0..count).map(|_| float(from).to_bits() as i32).collect();
            let zeros: Vec<i32> =
                (0..if from.byte() < 200 { count } else { 1 }).map(|_| from.size()).collect();
            let affine = sys::TfLiteAffineQuantization {
                scale: self.ints(&scales).cast(),
                zero_point: self.ints(&zeros),
                quantized_dimension: from.size(),
            };
            self.scales.push(Box::new(affine));
            tensor.quantization.type_ = sys::kTfLiteAffineQuantization;
            tensor.quantization.params =
                self.scales.last_mut().map_or(null_mut(), |scales| (&raw mut **scales).cast());
        }
        self.tensors.push(tensor);
    }

    /// Operands of this form, and results of the first computed one's shape.
    fn formed(
        &mut self,
        from: &mut Bytes<'_>,
        usual: (sys::TfLiteType, usize),
        form: forms::Form,
        outputs: usize,
    ) {
        let sizes: [i32; 26] = std::array::from_fn(|_| 0);
        let sizes =
            sizes.map(|_| if from.byte() > 240 { from.size() } else { [4, 1, 2, 3, 5, 8][from.below(6)] });
        let dims = |text: &str| -> Vec<i32> {
            let size = |letter: char| match letter.to_digit(10) {
                Some(size) => size as i32,
                None => sizes[letter as usize - 'a' as usize],
            };
            text.chars().filter(|letter| letter.is_ascii_alphanumeric()).map(size).collect()
        };
        let (_, bytes) = usual;
        let bias = match usual.0 {
            sys::kTfLiteInt8 | sys::kTfLiteUInt8 => (sys::kTfLiteInt32, 4),
            sys::kTfLiteInt16 => (sys::kTfLiteInt64, 8),
            _ => usual,
        };
        let computed = form.iter().find(|text| text.chars().all(|c| c.is_ascii_alphanumeric()));
        for text in form {
            let (sign, rest) = text.split_at(usize::from(text.starts_with(['=', '+', '#', 'i', '?'])));
            let (ty, constant) = match sign {
                "=" => (usual, true),
                "+" => (bias, true),
                "#" => ((sys::kTfLiteInt32, 4), true),
                "i" => ((sys::kTfLiteInt32, 4), from.bit()),
                "?" => ((sys::kTfLiteBool, 1), false),
                _ => (usual, false),
            };
            let numbers = sign == "#" || sign == "i";
            self.plain(from, ty, &dims(rest), constant, numbers, bytes <= 2 && ty == usual);
        }
        for _ in 0..outputs {
            let ty = if from.byte() < 220 { usual } else { TYPES[from.below(TYPES.len())] };
            self.plain(from, ty, &dims(computed.unwrap_or(&"nhc")), false, false, ty.1 <= 2);
        }
    }

    /// A tensor without contradictions: `numbers` are small, `quantised` ones have a scale.
    fn plain(
        &mut self,
        from: &mut Bytes<'_>,
        (type_, size): (sys::TfLiteType, usize),
        dims: &[i32],
        constant: bool,
        numbers: bool,
        quantised: bool,
    ) {
        let mut tensor = sys::TfLiteTensor {
            type_,
            dims: self.ints(dims),
            name: c"t".as_ptr(),
            allocation_type: sys::kTfLiteArenaRw,
            ..Default::default()
        };
        let elements = dims.iter().fold(1usize, |all, n| all.saturating_mul((*n).max(0) as usize));
        if constant && elements <= 1 << 12 {
            let mut bytes = vec![0u8; elements * size];
            for (i, element) in bytes.chunks_exact_mut(size).take(48).enumerate() {
                let number =
                    if numbers { [i as i64, 0, 1, -1, 2][from.below(5)] } else { from.byte().into() };
                let whole = match type_ {
                    sys::kTfLiteFloat32 => u64::from(float(from).to_bits()),
                    sys::kTfLiteBool => (number & 1) as u64,
                    _ => number as u64,
                };
                element.copy_from_slice(&whole.to_le_bytes()[..size]);
            }
            let mut words = vec![0u64; bytes.len().div_ceil(8) + 1];
            for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
                let mut all = [0; 8];
                all[..bytes.len()].copy_from_slice(bytes);
                *word = u64::from_le_bytes(all);
            }
            tensor.allocation_type = sys::kTfLiteMmapRo;
            tensor.data.raw = words.as_mut_ptr().cast();
            tensor.bytes = bytes.len();
            self.data.push(words);
        }
        let is_byte = type_ == sys::kTfLiteInt8 || type_ == sys::kTfLiteUInt8;
        if quantised && (is_byte || type_ == sys::kTfLiteInt16) && from.byte() < 240 {
            let zero = if is_byte && !constant { i32::from(from.byte() % 16) } else { 0 };
            let scale =
                [0.5f32, 0.25, 1.0 / 128.0, 1.0 / 256.0, 1.0 / 32768.0, 0.013, 1.0, 3.0][from.below(8)];
            let affine = sys::TfLiteAffineQuantization {
                scale: self.ints(&[scale.to_bits() as i32]).cast(),
                zero_point: self.ints(&[zero]),
                quantized_dimension: 0,
            };
            self.scales.push(Box::new(affine));
            tensor.quantization.type_ = sys::kTfLiteAffineQuantization;
            tensor.quantization.params =
                self.scales.last_mut().map_or(null_mut(), |scales| (&raw mut **scales).cast());
            (tensor.params.scale, tensor.params.zero_point) = (scale, zero);
        }
        self.tensors.push(tensor);
    }

    /// Words, of which those that hold booleans are made such.
    fn parameters(&mut self, code: u32, from: &mut Bytes<'_>, small: bool) {
        let mut words = [0; WORDS];
        words.iter_mut().for_each(|word| *word = if small { [1, 2, 0][from.below(3)] } else { from.size() });
        if from.byte() > 200 {
            words[0] = float(from).to_bits() as i32;
        }
        let boolean = match code {
            sys::kTfLiteBuiltinFullyConnected => Some(2),
            sys::kTfLiteBuiltinAdd | sys::kTfLiteBuiltinSub => Some(1),
            sys::kTfLiteBuiltinStridedSlice => Some(5),
            sys::kTfLiteBuiltinConv2d
            | sys::kTfLiteBuiltinDepthwiseConv2d
            | sys::kTfLiteBuiltinTransposeConv
            | sys::kTfLiteBuiltinAveragePool2d
            | sys::kTfLiteBuiltinMaxPool2d
            | sys::kTfLiteBuiltinReshape
            | sys::kTfLiteBuiltinSqueeze
            | sys::kTfLiteBuiltinArgMax
            | sys::kTfLiteBuiltinArgMin
            | sys::kTfLiteBuiltinShape
            | sys::kTfLiteBuiltinCast
            | sys::kTfLiteBuiltinMul
            | sys::kTfLiteBuiltinDiv
            | sys::kTfLiteBuiltinConcatenation
            | sys::kTfLiteBuiltinSoftmax
            | sys::kTfLiteBuiltinLeakyRelu
            | sys::kTfLiteBuiltinGather
            | sys::kTfLiteBuiltinPack
            | sys::kTfLiteBuiltinUnpack
            | sys::kTfLiteBuiltinSplit
            | sys::kTfLiteBuiltinSplitV
            | sys::kTfLiteBuiltinOneHot
            | sys::kTfLiteBuiltinMirrorPad
            | sys::kTfLiteBuiltinDepthToSpace
            | sys::kTfLiteBuiltinSpaceToDepth
            | sys::kTfLiteBuiltinL2Normalization => None,
            _ => Some(0),
        };
        if let Some(at) = boolean {
            words[at] &= 0x0101_0101;
        }
        self.arrays.push(Box::new(words));
        let place = self.arrays.last_mut().map_or(null_mut(), |words| words.as_mut_ptr());
        self.node.builtin_data = if from.byte() > 250 { null_mut() } else { place.cast() };
    }

    /// The indices of the node's tensors.
    pub fn tensor_count(&self) -> i32 {
        self.tensors.len() as i32
    }

    /// The context as a callback sees it.
    pub fn context(&mut self) -> Context<'_> {
        (self.raw.tensors, self.raw.tensors_size) = (self.tensors.as_mut_ptr(), self.tensors.len());
        self.raw.impl_ = (&raw mut *self).cast();
        // SAFETY: the host is borrowed as long as the context.
        unsafe { Context::new(&raw mut self.raw) }.expect("a context that is not NULL")
    }
}

fn float(from: &mut Bytes<'_>) -> f32 {
    match from.byte() {
        byte @ 0..=199 => f32::from(byte) / 64.0,
        byte => [0.0, -1.0, f32::NAN, f32::INFINITY, 1e30, 1e-30, f32::MIN_POSITIVE][usize::from(byte) % 7],
    }
}

unsafe extern "C" fn node(
    context: *mut sys::TfLiteContext,
    index: c_int,
    node: *mut *mut sys::TfLiteNode,
    registration: *mut *mut sys::TfLiteRegistration,
) -> sys::TfLiteStatus {
    if index != 0 {
        return sys::kTfLiteError;
    }
    // SAFETY: the context is that of a host that is alive, and the caller gives places for the answer.
    unsafe {
        let host = (*context).impl_.cast::<Host>();
        (*node, *registration) = (&raw mut (*host).node, &raw mut (*host).registration);
    }
    sys::kTfLiteOk
}
