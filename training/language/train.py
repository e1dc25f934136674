"""Trains the small language model on CPU: the only stage that is not TypeScript.

Reads what generate.ts wrote (DATA: tokens.bin uint16, mask.bin uint8 weights, lengths.bin uint32, shape.json) and writes
OUT/weights.bin (float32, little-endian, tensors in a row) with OUT/weights.json (names, shapes, sizes), which export.ts
turns into a GGUF file, OUT/state.pt to go on from, and OUT/log.txt. The order of the documents is the curriculum: blocks
are read in file order, and only inside a block are documents sorted by length, so that a batch wastes next to nothing on
padding.

Runs on PyTorch 1.13 or later; one thread. See build.sh for the environment that makes it fast.
"""
import argparse
import json
import math
import os
import time

import numpy as np
import torch

parser = argparse.ArgumentParser()
parser.add_argument('--data', required=True)
parser.add_argument('--out', required=True)
parser.add_argument('--width', type=int, default=192)
parser.add_argument('--layers', type=int, default=5)
parser.add_argument('--heads', type=int, default=6)
parser.add_argument('--hidden', type=int, default=384)
parser.add_argument('--context', type=int, default=1024, help='written into the model file')
parser.add_argument('--tokens', type=float, default=0, help='stop after so many tokens; 0 = one pass over the data')
parser.add_argument('--minutes', type=float, default=0, help='end by then even if tokens are left (the rate falls accordingly)')
parser.add_argument('--batch', type=int, default=4096, help='tokens of a micro-batch, padding included')
parser.add_argument('--accumulate', type=int, default=1, help='micro-batches per step')
parser.add_argument('--block', type=int, default=300000, help='tokens per block of the curriculum')
parser.add_argument('--lr', type=float, default=3e-3, help='AdamW: embedding and norms')
parser.add_argument('--matrix-lr', type=float, default=0.02, help='Muon: matrices of the blocks')
parser.add_argument('--optimizer', choices=['muon', 'adamw'], default='muon')
parser.add_argument('--warmup', type=int, default=60, help='steps')
parser.add_argument('--decay', type=float, default=0.5, help='last part of the run in which the rate falls to 0')
parser.add_argument('--seed', type=int, default=1)
parser.add_argument('--save-minutes', type=float, default=5)
parser.add_argument('--resume', action='store_true')
parser.add_argument('--init', default='', help='folder of a finished run: its weights are the start, the schedule begins anew')
parser.add_argument('--steps', type=int, default=0, help='stop early (for timing)')
options = parser.parse_args()

torch.set_num_threads(1)
torch.set_flush_denormal(True)
torch.manual_seed(options.seed)
random = np.random.default_rng(options.seed)
EPSILON = 1e-5
ROPE_BASE = 10000.0
EMA = 0.995


class Norm(torch.autograd.Function):
    """RMS norm with a hand-written reverse pass: fewer passes over memory than autograd's own."""

    @staticmethod
    def forward(ctx, x, weight):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON)
        unit = x * scale
        ctx.save_for_backward(unit, scale, weight)
        return unit * weight

    @staticmethod
    def backward(ctx, grad):
        unit, scale, weight = ctx.saved_tensors
        grad_weight = (grad * unit).reshape(-1, weight.shape[0]).sum(0)
        inner = grad * weight
        return (inner - unit * (inner * unit).mean(-1, keepdim=True)).mul_(scale), grad_weight


class Gate(torch.autograd.Function):
    """silu(a) * b for x = [a | b]."""

    @staticmethod
    def forward(ctx, x):
        a, b = x.chunk(2, -1)
        sigmoid = torch.sigmoid(a)
        ctx.save_for_backward(x, sigmoid)
        return (a * sigmoid).mul_(b)

    @staticmethod
    def backward(ctx, grad):
        x, sigmoid = ctx.saved_tensors
        a, b = x.chunk(2, -1)
        out = torch.empty_like(x)
        left, right = out.chunk(2, -1)
        silu = a * sigmoid
        torch.mul(grad, silu, out=right)
        # d silu = sigmoid * (1 + a - silu)
        torch.mul((a - silu).add_(1).mul_(sigmoid), b, out=left)
        left.mul_(grad)
        return out


class Rotate(torch.autograd.Function):
    """Rotary positions in llama.cpp's interleaved layout: pairs (0,1), (2,3), ..."""

    @staticmethod
    def forward(ctx, x, turns):
        ctx.turns = turns
        return torch.view_as_real(torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * turns).flatten(-2)

    @staticmethod
    def backward(ctx, grad):
        turned = torch.view_as_complex(grad.contiguous().reshape(*grad.shape[:-1], -1, 2)) * ctx.turns.conj()
        return torch.view_as_real(turned).flatten(-2), None


def turns_table(length, head):
    """Complex [length, head/2]: the rotation of each pair at each position."""
    speed = ROPE_BASE ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angle = torch.outer(torch.arange(length, dtype=torch.float64), speed)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


class Model(torch.nn.Module):
    def __init__(self, vocab):
        super().__init__()
        d, f, layers = options.width, options.hidden, options.layers
        self.head = d // options.heads
        param = lambda *shape, std: torch.nn.Parameter(torch.randn(*shape) * std)
        self.embed = param(vocab, d, std=0.02)
        self.final = torch.nn.Parameter(torch.ones(d))
        std, deep = d ** -0.5, d ** -0.5 / math.sqrt(2 * layers)
        self.norm1 = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(d)) for _ in range(layers)])
        self.norm2 = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(d)) for _ in range(layers)])
        self.qkv = torch.nn.ParameterList([param(3 * d, d, std=std) for _ in range(layers)])
        self.out = torch.nn.ParameterList([param(d, d, std=deep) for _ in range(layers)])
        self.up = torch.nn.ParameterList([param(2 * f, d, std=std) for _ in range(layers)])
        self.down = torch.nn.ParameterList([param(d, f, std=deep) for _ in range(layers)])
        self.turns = turns_table(options.context, self.head)
        self.causal = {}

    def mask(self, length):
        if length not in self.causal:
            self.causal[length] = torch.full((length, length), float('-inf')).triu_(1)
        return self.causal[length]

    def forward(self, tokens, keep):
        """tokens [B, T] and the flat positions to predict from; logits [len(keep), vocabulary]."""
        b, t = tokens.shape
        d, h, e = options.width, options.heads, self.head
        x = torch.nn.functional.embedding(tokens, self.embed).view(b * t, d)
        mask, turns, scale = self.mask(t), self.turns[:t], e ** -0.5
        last = options.layers - 1
        for i in range(options.layers):
            y = Norm.apply(x, self.norm1[i]) @ self.qkv[i].t()
            q, k, v = y.view(b, t, 3, h, e).permute(2, 0, 3, 1, 4).reshape(3, b * h, t, e)
            q, k = Rotate.apply(q, turns), Rotate.apply(k, turns)
            weights = torch.softmax(torch.baddbmm(mask, q, k.transpose(1, 2), alpha=scale), -1)
            y = torch.bmm(weights, v).view(b, h, t, e).transpose(1, 2).reshape(b * t, d)
            if i == last:                      # after the last attention only the predicted positions matter
                y, x = y[keep], x[keep]
            x = x + y @ self.out[i].t()
            x = x + Gate.apply(Norm.apply(x, self.norm2[i]) @ self.up[i].t()) @ self.down[i].t()
        return Norm.apply(x, self.final) @ self.embed.t()


def orthogonalise(m):
    """Newton-Schulz iteration of Muon (Jordan et al. 2024): pushes the singular values towards 1."""
    tall = m.shape[0] > m.shape[1]
    x = m.t() if tall else m
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.t()
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.t() if tall else x


class Muon:
    """Momentum, then the nearest orthogonal matrix, for each square-ish matrix (q, k, v, gate and up apart)."""

    def __init__(self, matrices, momentum=0.95, weight_decay=0.05):
        self.matrices, self.momentum, self.weight_decay = matrices, momentum, weight_decay
        self.state = [torch.zeros_like(p) for p, _ in matrices]

    @torch.no_grad()
    def step(self, rate):
        for (p, parts), buffer in zip(self.matrices, self.state):
            buffer.lerp_(p.grad, 1 - self.momentum)
            update = p.grad.lerp(buffer, self.momentum)
            p.mul_(1 - rate * self.weight_decay)
            for piece, target in zip(update.chunk(parts), p.chunk(parts)):
                grow = max(1.0, piece.shape[0] / piece.shape[1]) ** 0.5
                target.add_(orthogonalise(piece), alpha=-rate * grow)


def read_documents():
    tokens = np.fromfile(os.path.join(options.data, 'tokens.bin'), dtype=np.uint16)
    mask = np.fromfile(os.path.join(options.data, 'mask.bin'), dtype=np.uint8)
    lengths = np.fromfile(os.path.join(options.data, 'lengths.bin'), dtype=np.uint32).astype(np.int64)
    assert lengths.sum() == len(tokens) == len(mask)
    return tokens, mask, lengths


def micro_batches(lengths, starts):
    """Yields lists of document numbers: block by block, similar lengths together, shuffled inside the block."""
    first = 0
    while first < len(lengths):
        stop, total = first, 0
        while stop < len(lengths) and total < options.block:
            total += lengths[stop]
            stop += 1
        ids = np.arange(first, stop)
        ids = ids[np.argsort(lengths[ids] + random.uniform(0, 3, len(ids)), kind='stable')]
        batches, current = [], []
        for i in ids:
            if current and lengths[i] * (len(current) + 1) > options.batch:
                batches.append(current)
                current = []
            current.append(i)
        if current:
            batches.append(current)
        for j in random.permutation(len(batches)):
            yield batches[j]
        first = stop


def load_batch(ids, tokens, mask, lengths, starts, pad):
    longest = int(lengths[ids].max())
    rows = np.full((len(ids), longest), pad, dtype=np.int64)
    goal = np.zeros((len(ids), longest), dtype=np.uint8)
    for r, i in enumerate(ids):
        s, n = starts[i], lengths[i]
        rows[r, :n] = tokens[s:s + n]
        goal[r, :n] = mask[s:s + n]
    rows, goal = torch.from_numpy(rows), torch.from_numpy(goal)
    flat = goal[:, 1:].reshape(-1).nonzero().squeeze(1)
    targets = rows[:, 1:].reshape(-1)[flat]
    weights = goal[:, 1:].reshape(-1)[flat].float()
    return rows[:, :-1].contiguous(), flat, targets, weights


def save(model, average, vocab, seen, path):
    """Weights (the running average) in llama.cpp's names; [out, in] matrices as they are."""
    tensors = {'token_embd': average['embed'], 'output_norm': average['final']}
    for i in range(options.layers):
        q, k, v = average[f'qkv.{i}'].chunk(3)
        gate, up = average[f'up.{i}'].chunk(2)
        names = {'attn_norm': average[f'norm1.{i}'], 'attn_q': q, 'attn_k': k, 'attn_v': v, 'attn_output': average[f'out.{i}'],
                 'ffn_norm': average[f'norm2.{i}'], 'ffn_gate': gate, 'ffn_up': up, 'ffn_down': average[f'down.{i}']}
        tensors.update({f'blk.{i}.{name}': t for name, t in names.items()})
    meta = {'vocab': vocab, 'width': options.width, 'layers': options.layers, 'heads': options.heads, 'hidden': options.hidden,
            'context': options.context, 'epsilon': EPSILON, 'ropeBase': ROPE_BASE, 'tokensSeen': seen,
            'parameters': sum(t.numel() for t in tensors.values()),
            'tensors': [{'name': f'{name}.weight', 'shape': list(t.shape)} for name, t in tensors.items()]}
    with open(path + '.bin.part', 'wb') as file:
        for t in tensors.values():
            file.write(t.detach().contiguous().numpy().astype('<f4').tobytes())
    with open(path + '.json', 'w') as file:
        json.dump(meta, file)
    os.replace(path + '.bin.part', path + '.bin')


def say(line):
    """To the screen and to OUT/log.txt, which a resumed run continues."""
    print(line, flush=True)
    with open(os.path.join(options.out, 'log.txt'), 'a') as file:
        file.write(line + '\n')


def rate_at(step, progress):
    warm = min(1.0, (step + 1) / options.warmup)
    return warm * min(1.0, max(0.0, 1 - progress) / options.decay)


def main():
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.data, 'shape.json')) as file:
        shape = json.load(file)
    vocab, pad = shape['vocab'], shape['pad']
    tokens, mask, lengths = read_documents()
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    total = options.tokens or float(lengths.sum())
    model = Model(vocab)
    named = dict(model.named_parameters())
    average = {name: p.detach().clone() for name, p in named.items()}
    matrices = [(p, 3 if n.startswith('qkv') else 2 if n.startswith('up') else 1)
                for n, p in named.items() if n.split('.')[0] in ('qkv', 'out', 'up', 'down')]
    inside = {id(p) for p, _ in matrices} if options.optimizer == 'muon' else set()
    adam = torch.optim.AdamW([{'params': [p for p in named.values() if id(p) not in inside and p.dim() > 1], 'weight_decay': 0.05},
                              {'params': [p for p in named.values() if id(p) not in inside and p.dim() == 1], 'weight_decay': 0.0}],
                             lr=options.lr, betas=(0.9, 0.95), eps=1e-9)
    muon = Muon(matrices) if options.optimizer == 'muon' else None
    say(f'parameters {sum(p.numel() for p in named.values())} documents {len(lengths)} tokens {lengths.sum()} '
        f'predicted {int((mask > 0).sum())}')
    seen, step, skip = 0, 0, 0
    state_path = os.path.join(options.out, 'state.pt')
    if options.resume or options.init:
        state = torch.load(state_path if options.resume else os.path.join(options.init, 'state.pt'))
        model.load_state_dict(state['model'])
        average = state['average']
        adam.load_state_dict(state['adam'])
        if muon:
            muon.state = state['muon']
        if options.resume:
            seen, step, skip = state['seen'], state['step'], state['batches']
        say(f'resumed at step {step}, {seen} tokens')
    began = saved = mark = time.time()
    losses, marked, group, batches = [], seen, [], 0
    for ids in micro_batches(lengths, starts):
        batches += 1
        if batches <= skip:
            continue
        if seen >= total:                      # a finished run, resumed
            break
        group.append(load_batch(np.array(ids), tokens, mask, lengths, starts, pad))
        seen += int(lengths[ids].sum())
        if len(group) < options.accumulate:
            continue
        goals = sum(float(weights.sum()) for _, _, _, weights in group)
        for rows, flat, targets, weights in group:
            loss = torch.nn.functional.cross_entropy(model(rows, flat), targets, reduction='none') @ weights / max(1, goals)
            loss.backward()
            losses.append(float(loss) * len(group))
        group = []
        progress = max(seen / total, (time.time() - began) / 60 / options.minutes if options.minutes else 0)
        factor = rate_at(step, progress)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for entry in adam.param_groups:
            entry['lr'] = options.lr * factor
        adam.step()
        if muon:
            muon.step(options.matrix_lr * factor)
        for p in named.values():
            p.grad = None
        step += 1
        with torch.no_grad():
            for name, p in named.items():
                average[name].lerp_(p, 1 - min(EMA, step / (step + 10)))
        if step % 25 == 0:
            now = time.time()
            say(f'step {step} tokens {seen} loss {np.mean(losses):.4f} rate {factor:.3f} '
                f'tok/s {(seen - marked) / (now - mark):.0f} minutes {(now - began) / 60:.1f}')
            losses, marked, mark = [], seen, now
        done = progress >= 1 or seen >= total or (options.steps and step >= options.steps)
        if done or time.time() - saved > options.save_minutes * 60:
            save(model, average, vocab, seen, os.path.join(options.out, 'weights'))
            torch.save({'model': model.state_dict(), 'average': average, 'adam': adam.state_dict(), 'muon': muon.state if muon else None,
                        'seen': seen, 'step': step, 'batches': batches}, state_path + '.part')
            os.replace(state_path + '.part', state_path)
            saved = time.time()
        if done:
            break
    save(model, average, vocab, seen, os.path.join(options.out, 'weights'))
    say(f'end: {seen} tokens, {step} steps, {(time.time() - began) / 60:.1f} minutes')


if __name__ == '__main__':
    main()
