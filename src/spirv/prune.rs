//! Removes the code that the constants of a module rule out.
//!
//! Drivers do that as well, but late: every pass before it takes the time that the dead code costs. A
//! kernel with an epilogue is mostly dead code.

use std::collections::{HashMap, HashSet};

use ::spirv::Op;

use super::instruction::{self, HEADER, first_word};
use super::specialize::evaluate;

/// Instructions of function bodies that have no result, as far as kernels use them.
const WITHOUT_RESULT: &[Op] = &[
    Op::Nop,
    Op::Line,
    Op::Store,
    Op::CopyMemory,
    Op::ControlBarrier,
    Op::MemoryBarrier,
    Op::AtomicStore,
    Op::LoopMerge,
    Op::SelectionMerge,
    Op::Branch,
    Op::BranchConditional,
    Op::Switch,
    Op::Kill,
    Op::Return,
    Op::ReturnValue,
    Op::Unreachable,
    Op::NoLine,
    Op::CooperativeMatrixStoreKHR,
];

type Instruction<'a> = &'a [u32];

fn op(instruction: Instruction<'_>) -> Op {
    instruction::op(instruction[0])
}

/// `spirv` without the blocks that cannot be reached; unchanged if it is built in a way that this
/// does not know.
pub fn prune(spirv: Vec<u32>) -> Vec<u32> {
    try_prune(&spirv).unwrap_or(spirv)
}

fn try_prune(spirv: &[u32]) -> Option<Vec<u32>> {
    let (header, mut rest) = spirv.split_at_checked(HEADER)?;
    let mut instructions: Vec<Instruction<'_>> = Vec::new();
    while let Some(first) = rest.first() {
        let length = (first >> 16) as usize;
        let (instruction, behind) = rest.split_at_checked(length.max(1))?;
        instructions.push(instruction);
        rest = behind;
    }
    let mut known = Known::default();
    let mut bodies: Vec<u32> = Vec::new();
    let mut dropped = HashSet::new();
    let globals = instructions.iter().position(|i| op(i) == Op::Function)?;
    instructions[..globals].iter().for_each(|i| known.global(i));
    let mut at = globals;
    while at < instructions.len() {
        let end = at + instructions[at..].iter().position(|i| op(i) == Op::FunctionEnd)?;
        let first = at + instructions[at..end].iter().position(|i| op(i) == Op::Label)?;
        instructions[at..first].iter().for_each(|i| bodies.extend_from_slice(i));
        let function = Function::new(&instructions[first..end], &mut known)?;
        function.write(&mut bodies, &mut dropped)?;
        bodies.extend_from_slice(instructions[end]);
        at = end + 1;
    }
    let mut pruned = header.to_vec();
    for instruction in &instructions[..globals] {
        let decorates = matches!(op(instruction), Op::Name | Op::Decorate);
        if !(decorates && dropped.contains(instruction.get(1)?)) {
            pruned.extend_from_slice(instruction);
        }
    }
    pruned.extend(bodies);
    Some(pruned)
}

/// The scalars whose value is known: booleans and 32-bit integers.
#[derive(Default)]
struct Known {
    types: HashSet<u32>,
    values: HashMap<u32, u32>,
}

impl Known {
    fn global(&mut self, instruction: Instruction<'_>) {
        match (op(instruction), instruction) {
            (Op::TypeBool, &[_, id]) | (Op::TypeInt, &[_, id, 32, _]) => drop(self.types.insert(id)),
            (Op::ConstantTrue, &[_, _, id]) => drop(self.values.insert(id, 1)),
            (Op::ConstantFalse, &[_, _, id]) => drop(self.values.insert(id, 0)),
            (Op::Constant, &[_, kind, id, value]) if self.types.contains(&kind) => {
                self.values.insert(id, value);
            }
            _ => {}
        }
    }

    fn get(&self, id: u32) -> Option<u32> {
        self.values.get(&id).copied()
    }

    /// Notes the result of an instruction if it follows from what is known.
    fn infer(&mut self, instruction: Instruction<'_>) {
        let &[_, kind, result, ref operands @ ..] = instruction else { return };
        if WITHOUT_RESULT.contains(&op(instruction)) || !self.types.contains(&kind) || operands.len() > 3 {
            return;
        }
        let Some(operands) = operands.iter().map(|id| self.get(*id)).collect::<Option<Vec<u32>>>() else {
            return;
        };
        let value = match (op(instruction), operands.as_slice()) {
            (Op::Bitcast, [a]) => Some(*a),
            (operation, operands) => evaluate(operation, operands),
        };
        if let Some(value) = value {
            self.values.insert(result, value);
        }
    }
}

/// A function's blocks, and which of them can be reached.
struct Function<'a> {
    blocks: Vec<Block<'a>>,
    /// Labels of blocks that can be reached.
    live: HashSet<u32>,
    /// From label to label.
    edges: HashSet<(u32, u32)>,
}

struct Block<'a> {
    label: u32,
    /// The label and what follows, without merge instruction and terminator.
    body: &'a [Instruction<'a>],
    merge: Option<Instruction<'a>>,
    terminator: Instruction<'a>,
    /// Where a terminator with a choice always goes.
    decided: Option<u32>,
}

impl<'a> Block<'a> {
    fn new(instructions: &'a [Instruction<'a>]) -> Option<Self> {
        let (terminator, body) = instructions.split_last()?;
        let (merge, body) = match body.split_last() {
            Some((last, body)) if matches!(op(last), Op::LoopMerge | Op::SelectionMerge) => {
                (Some(*last), body)
            }
            _ => (None, body),
        };
        let label = *body.first()?.get(1)?;
        Some(Self { label, body, merge, terminator, decided: None })
    }

    /// Where control goes, given what is known.
    fn targets(&mut self, known: &Known) -> Option<Vec<u32>> {
        match (op(self.terminator), self.terminator) {
            (Op::Branch, &[_, target]) => return Some(vec![target]),
            (Op::BranchConditional, &[_, condition, yes, no, ..]) => {
                let Some(value) = known.get(condition) else { return Some(vec![yes, no]) };
                self.decided = Some(if value != 0 { yes } else { no });
            }
            (Op::Switch, &[_, selector, default, ref cases @ ..]) => {
                let (cases, []) = cases.as_chunks::<2>() else { return None };
                let Some(value) = known.get(selector) else {
                    return Some(std::iter::once(default).chain(cases.iter().map(|[_, to]| *to)).collect());
                };
                let case = cases.iter().find(|[literal, _]| *literal == value);
                self.decided = Some(case.map_or(default, |[_, to]| *to));
            }
            (Op::Kill | Op::Return | Op::ReturnValue | Op::Unreachable, _) => return Some(Vec::new()),
            _ => return None,
        }
        self.decided.map(|target| vec![target])
    }
}

impl<'a> Function<'a> {
    /// Splits the instructions into blocks and follows control through them. `None` if a block is
    /// only reached from behind, which structured code never does.
    fn new(instructions: &'a [Instruction<'a>], known: &mut Known) -> Option<Self> {
        let starts = instructions.iter().enumerate().filter(|(_, i)| op(i) == Op::Label).map(|(at, _)| at);
        let ends = starts.clone().skip(1).chain([instructions.len()]);
        let mut blocks: Vec<Block<'a>> = starts
            .zip(ends)
            .map(|(start, end)| Block::new(&instructions[start..end]))
            .collect::<Option<_>>()?;
        let place: HashMap<u32, usize> = blocks.iter().enumerate().map(|(at, b)| (b.label, at)).collect();
        let mut live = HashSet::from([blocks.first()?.label]);
        let mut edges = HashSet::new();
        for (at, block) in blocks.iter_mut().enumerate() {
            if !live.contains(&block.label) {
                continue;
            }
            for instruction in block.body {
                if op(instruction) == Op::Phi {
                    let (pairs, []) = instruction.get(3..)?.as_chunks::<2>() else { return None };
                    let forward = pairs.iter().all(|[_, from]| place.get(from).is_some_and(|p| *p < at));
                    let mut values = pairs
                        .iter()
                        .filter(|[_, from]| edges.contains(&(*from, block.label)))
                        .map(|[value, _]| known.get(*value));
                    if let Some(Some(first)) = values.next()
                        && forward
                        && known.types.contains(&instruction[1])
                        && values.all(|value| value == Some(first))
                    {
                        known.values.insert(instruction[2], first);
                    }
                } else {
                    known.infer(instruction);
                }
            }
            for target in block.targets(known)? {
                if *place.get(&target)? <= at && !live.contains(&target) {
                    return None;
                }
                live.insert(target);
                edges.insert((block.label, target));
            }
        }
        Some(Self { blocks, live, edges })
    }

    /// Writes the blocks that can be reached, and those that structured code cannot do without; notes
    /// the ids that are gone.
    fn write(self, out: &mut Vec<u32>, dropped: &mut HashSet<u32>) -> Option<()> {
        // Merge blocks that are only named, and loops by their continue targets if nothing reaches these.
        let (mut named, mut idle) = (HashSet::new(), HashMap::new());
        for block in self.blocks.iter().filter(|block| self.live.contains(&block.label)) {
            match (block.merge, block.decided) {
                (Some(&[first, merge, next, ..]), _) if instruction::op(first) == Op::LoopMerge => {
                    named.insert(merge);
                    if !self.live.contains(&next) {
                        idle.insert(next, block.label);
                    } else if !self.goes_round(block.label) {
                        return None;
                    }
                }
                (Some(_), Some(_)) if op(block.terminator) == Op::BranchConditional => {}
                (Some(&[_, merge, ..]), _) => drop(named.insert(merge)),
                _ => {}
            }
        }
        named.retain(|label| !self.live.contains(label));
        if named.iter().any(|label| idle.contains_key(label)) {
            return None;
        }
        for block in &self.blocks {
            if self.live.contains(&block.label) {
                let idle = idle.iter().find(|(_, header)| **header == block.label);
                self.write_live(block, idle.map(|(next, _)| *next), out)?;
                continue;
            }
            if let Some(header) = idle.get(&block.label) {
                out.extend_from_slice(block.body[0]);
                out.extend([first_word(Op::Branch, 2), *header]);
            } else if named.contains(&block.label) {
                out.extend_from_slice(block.body[0]);
                out.push(first_word(Op::Unreachable, 1));
            } else {
                dropped.insert(block.label);
            }
            let results = block.body[1..].iter().filter(|i| !WITHOUT_RESULT.contains(&op(i)));
            dropped.extend(results.filter_map(|i| i.get(2)));
        }
        Some(())
    }

    /// Whether the loop that begins here is ever entered again.
    fn goes_round(&self, header: u32) -> bool {
        let inside = self.blocks.iter().skip_while(|block| block.label != header);
        inside.into_iter().any(|block| self.edges.contains(&(block.label, header)))
    }

    /// `idle` is the continue target if the block begins a loop that never goes round.
    fn write_live(&self, block: &Block<'_>, idle: Option<u32>, out: &mut Vec<u32>) -> Option<()> {
        for instruction in block.body {
            if op(instruction) != Op::Phi {
                out.extend_from_slice(instruction);
                continue;
            }
            let start = out.len();
            out.extend_from_slice(&instruction[..3]);
            let (pairs, _) = instruction[3..].as_chunks::<2>();
            let come = |[_, from]: &&[u32; 2]| self.edges.contains(&(*from, block.label));
            pairs.iter().filter(come).for_each(|pair| out.extend_from_slice(pair));
            // Any value will do: nothing comes from there.
            let first = *out.get(start + 3)?;
            out.extend(idle.iter().flat_map(|next| [first, *next]));
            let length = out.len() - start;
            out[start] = first_word(Op::Phi, length);
        }
        let is_switch = op(block.terminator) == Op::Switch;
        let merges_loop = block.merge.is_some_and(|merge| op(merge) == Op::LoopMerge);
        if let Some(merge) = block.merge
            && (block.decided.is_none() || is_switch || merges_loop)
        {
            out.extend_from_slice(merge);
        }
        match block.decided {
            // What lies within may leave a switch from any depth, so the switch stays.
            Some(target) if is_switch => out.extend([first_word(Op::Switch, 3), block.terminator[1], target]),
            Some(target) => out.extend([first_word(Op::Branch, 2), target]),
            None => out.extend_from_slice(block.terminator),
        }
        Some(())
    }
}
