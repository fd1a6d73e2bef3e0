//! A node's fused steps as kernels with `lib/epilogue.glsl` take them.

use super::Lower;
use crate::codes::epilogue as code;
use crate::error::Unsupported;
use crate::ir::{Broadcast, Operand, Step};
use crate::program::BufferId;
use crate::unsupported;

/// The most steps that an epilogue holds.
pub const MAX_STEPS: usize = 6;
/// The most operands that an epilogue holds.
pub const MAX_OPERANDS: usize = 3;
/// The most channels of an operand that is padded to the result's.
pub const MAX_PADDED: u32 = (1 << (u32::BITS - code::EPI_CHANNELS_AT)) - 1;

/// A node's fused steps in the form that kernels with `lib/epilogue.glsl` take.
#[derive(Clone, Debug)]
pub struct Epilogue {
    /// Per step: code, broadcast and operand slot, packed as the shader wants it.
    pub op: [u32; MAX_STEPS],
    /// Per step: its first parameter, or the scalar operand.
    pub a: [f32; MAX_STEPS],
    /// Per step: its second parameter.
    pub b: [f32; MAX_STEPS],
    /// The operands; the fallback buffer where there is none.
    pub e: [BufferId; MAX_OPERANDS],
    /// Rows of the result per row of a `Batch` operand.
    pub rows_per_batch: u32,
}

impl Lower<'_> {
    /// The node's own steps, behind `first`; `fallback` is a buffer that the dispatch reads anyway.
    pub fn epilogue(&mut self, first: &[Step], fallback: BufferId) -> Result<Epilogue, Unsupported> {
        let steps: Vec<Step> = first.iter().chain(self.site.steps).copied().collect();
        if steps.len() > MAX_STEPS {
            unsupported!("{} fused steps ({MAX_STEPS} at most)", steps.len());
        }
        let mut epilogue = Epilogue {
            op: [0; MAX_STEPS],
            a: [0.0; MAX_STEPS],
            b: [0.0; MAX_STEPS],
            e: [fallback; MAX_OPERANDS],
            rows_per_batch: 1,
        };
        let result = self.output(0).shape;
        let rows = |cx: &Self, input: usize| Broadcast::rows_per_batch(&cx.input(input).shape, &result);
        let mut batch = steps.iter().find_map(|step| match step.operand {
            Operand::Input { input, broadcast: Broadcast::Batch } => Some(rows(self, input)),
            _ => None,
        });
        let (mut slots, mut wide) = (Vec::new(), [false; MAX_OPERANDS]);
        for (s, step) in steps.iter().enumerate() {
            [epilogue.a[s], epilogue.b[s]] = step.op.parameters();
            let (broadcast, slot) = match step.operand {
                Operand::None => (0, 0),
                Operand::Scalar(x) => {
                    epilogue.a[s] = x;
                    (code::EPI_SCALAR, 0)
                }
                Operand::Input { input, broadcast } => {
                    let slot = slots.iter().position(|i| *i == input).unwrap_or(slots.len());
                    if slot == slots.len() {
                        if slot == MAX_OPERANDS {
                            unsupported!("more than {MAX_OPERANDS} fused operands");
                        }
                        let (buffer, is_wide) = self.either(input)?;
                        if is_wide && broadcast == Broadcast::Padded {
                            unsupported!("operand {input} is padded, and wider than the kernel's floats");
                        }
                        epilogue.e[slot] = buffer;
                        wide[slot] = is_wide;
                        slots.push(input);
                    }
                    epilogue.op[s] = u32::from(wide[slot]) << code::EPI_F32_AT;
                    let rows = rows(self, input);
                    let same = batch.is_none_or(|other| other == rows);
                    let broadcast = match broadcast {
                        // A vector per image, in a batch of one: another batch must not need another
                        // pipeline.
                        Broadcast::Channel if same && self.constant(input).is_none() => Broadcast::Batch,
                        Broadcast::Batch if !same => {
                            unsupported!("operands that spread over different batches")
                        }
                        other => other,
                    };
                    if broadcast == Broadcast::Batch {
                        batch = Some(rows);
                        epilogue.rows_per_batch = rows;
                    }
                    (kind(broadcast), slot as u32)
                }
            };
            if let Operand::Input { input, broadcast: Broadcast::Padded } = step.operand {
                epilogue.op[s] |= self.input(input).shape.channels() << code::EPI_CHANNELS_AT;
            }
            epilogue.op[s] |= step.op.code()
                | broadcast << code::EPI_KIND_AT
                | slot << code::EPI_SLOT_AT
                | u32::from(step.swapped) << code::EPI_SWAPPED_AT;
        }
        epilogue.op[0] |= u32::from(self.has_wide_result()) << code::EPI_RESULT_F32_AT;
        Ok(epilogue)
    }
}

/// How the shader finds an operand that spreads in this way.
fn kind(broadcast: Broadcast) -> u32 {
    match broadcast {
        Broadcast::Full => code::EPI_FULL,
        Broadcast::Channel => code::EPI_CHANNEL,
        Broadcast::Row => code::EPI_ROW,
        Broadcast::Batch => code::EPI_BATCH,
        Broadcast::One => code::EPI_ONE,
        Broadcast::Padded => code::EPI_PADDED,
    }
}
