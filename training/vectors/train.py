"""Trains the table of token vectors: python3 train.py <work folder> [--steps N] [--seed N] [--init svd|random].

Reads what prepare.ts wrote; writes rows.f32, one row of 256 numbers per token and per bucket of word pieces, rotated so that
the first components hold the most. A text's vector is the sum of its tokens' rows; the loss (InfoNCE in both directions) pulls
the two texts of a pair together and pushes them from the other pairs of the batch.
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

WIDTH = 256
BATCH = 1024
LONGEST = 128
DROP = 0.15
SPELL = 0.15


class Runs:
    """Runs of numbers of different length, stored in a row."""

    def __init__(self, starts, values):
        self.starts, self.values = starts.astype(np.int64), values.astype(np.int64)
        self.lengths = np.diff(self.starts)

    def take(self, which, longest=None):
        """The chosen runs one after another, with the number of the choice that each value belongs to."""
        lengths = self.lengths[which] if longest is None else np.minimum(self.lengths[which], longest)
        owner = np.repeat(np.arange(len(which)), lengths)
        first = np.cumsum(lengths) - lengths
        place = np.arange(lengths.sum()) - first[owner] + self.starts[which][owner]
        return self.values[place], owner


class Corpus:
    def __init__(self, work):
        read = lambda name, kind: np.fromfile(work / name, kind)
        self.settings = json.loads((work / 'settings.json').read_text())
        self.tokens, self.pieces = self.settings['tokens'], self.settings['pieces']
        self.texts = Runs(read('starts.u32', '<u4'), read('ids.u32', '<u4'))
        self.pairs = read('pairs.u32', '<u4').reshape(-1, 3).astype(np.int64)
        self.weights = read('weights.f32', '<f4').astype(np.float64)
        self.alternates = read('alternates.u32', '<u4').reshape(-1, 3).astype(np.int64)
        spelled = [[int(x) for x in line.split()] for line in (work / 'spelled.txt').read_text().split('\n')]
        starts = np.concatenate([[0], np.cumsum([len(line) for line in spelled])])
        self.spelled = Runs(starts, np.array([x for line in spelled for x in line]))
        self.idf = read('idf.f32', '<f4')

    def rows(self, which, random, train):
        """Rows, weights and owners of the chosen texts, with some tokens dropped or spelled out when training."""
        ids, owner = self.texts.take(which, LONGEST)
        if train:
            kept = random.random(len(ids)) >= DROP
            # A text keeps its first token, so that none becomes empty.
            kept[np.concatenate([[True], owner[1:] != owner[:-1]])[: len(kept)]] = True
            ids, owner = ids[kept], owner[kept]
            swap = (random.random(len(ids)) < SPELL) & (ids < self.tokens)
            ids[swap] = self.alternates[ids[swap], random.integers(0, 3, swap.sum())]
        known = ids < self.tokens
        parts, word = self.spelled.take(ids[~known] - self.tokens)
        lengths = self.spelled.lengths[ids[~known] - self.tokens]
        rows = np.concatenate([ids[known], parts + self.tokens])
        weights = np.concatenate([np.ones(known.sum()), 1 / np.maximum(lengths, 1)[word]])
        owners = np.concatenate([owner[known], owner[~known][word]])
        order = np.argsort(owners, kind='stable')
        counts = np.bincount(owners, minlength=len(which))
        starts = np.cumsum(counts) - counts
        return (torch.from_numpy(rows[order]), torch.from_numpy(weights[order].astype(np.float32)), torch.from_numpy(starts))


def embed(table, batch):
    rows, weights, starts = batch
    summed = torch.nn.functional.embedding_bag(rows, table, starts, mode='sum', per_sample_weights=weights, sparse=True)
    return torch.nn.functional.normalize(summed, dim=1)


def word_statistics(corpus, random, window=5):
    """Vectors of the tokens from what stands near them: positive pointwise mutual information, reduced by a randomised SVD."""
    size = corpus.tokens
    ids = corpus.texts.values
    text = np.repeat(np.arange(len(corpus.texts.lengths)), corpus.texts.lengths)
    known = ids < size
    ids, text = ids[known], text[known]
    keys, counts = np.zeros(0, np.int64), np.zeros(0)
    for step in range(1, window + 1):
        near = text[step:] == text[:-step]
        found, number = np.unique(ids[:-step][near] * size + ids[step:][near], return_counts=True)
        merged = np.concatenate([keys, found])
        keys, inverse = np.unique(merged, return_inverse=True)
        counts = np.bincount(inverse, np.concatenate([counts, number / step]))
    a, b = np.concatenate([keys // size, keys % size]), np.concatenate([keys % size, keys // size])
    counts = np.concatenate([counts, counts])
    total = np.bincount(a, counts, minlength=size) + 1
    smooth = total ** 0.75 / (total ** 0.75).sum()
    information = np.log(counts / total[a] / smooth[b])
    kept = information > 0
    a, b, information = a[kept], b[kept], information[kept]
    matrix = torch.sparse_coo_tensor(np.stack([a, b]), torch.from_numpy(information.astype(np.float32)), (size, size)).to_sparse_csr()
    basis = torch.from_numpy(random.standard_normal((size, WIDTH + 32)).astype(np.float32))
    for _ in range(3):
        basis = torch.linalg.qr(matrix @ basis)[0]
    small = (matrix @ basis).T
    left, values, _ = torch.linalg.svd(small @ small.T)
    vectors = (basis @ left[:, :WIDTH]) * values[:WIDTH] ** 0.25
    return torch.nn.functional.normalize(vectors, dim=1)


def initial(corpus, random, kind):
    rows = torch.from_numpy(random.standard_normal((corpus.tokens + corpus.pieces, WIDTH)).astype(np.float32)) / 16
    if kind == 'svd':
        rows[: corpus.tokens] = word_statistics(corpus, random) + 0.1 * rows[: corpus.tokens]
    # Frequent tokens say less: their rows begin shorter (share / (share + 0.001), as in smooth inverse frequency).
    rows[: corpus.tokens] *= torch.from_numpy(1 / (1 + 1000 * np.exp(-corpus.idf)))[:, None]
    # A piece begins as the mean of the words it occurs in.
    forms = corpus.alternates[:, 0]
    spelled = np.nonzero(forms >= corpus.tokens)[0]
    parts, owner = corpus.spelled.take(forms[spelled] - corpus.tokens)
    sums = torch.zeros(corpus.pieces, WIDTH).index_add_(0, torch.from_numpy(parts), rows[torch.from_numpy(spelled[owner])])
    seen = torch.from_numpy(np.bincount(parts, minlength=corpus.pieces).astype(np.float32))[:, None]
    rows[corpus.tokens :] = sums / seen.clamp(min=1).sqrt() + 0.05 * rows[corpus.tokens :]
    return rows


def train(corpus, options):
    random = np.random.default_rng(options.seed)
    begin = time.time()
    table = torch.nn.Parameter(initial(corpus, random, options.init))
    print(f'initial table after {time.time() - begin:.0f} s', flush=True)
    optimiser = torch.optim.SparseAdam([table], lr=options.rate)
    chances = np.cumsum(corpus.weights / corpus.weights.sum())
    begin, shown = time.time(), []
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group['lr'] = options.rate * min(1, (step + 1) / 50) * max(0.02, 1 - step / options.steps)
        chosen = corpus.pairs[np.minimum(np.searchsorted(chances, random.random(BATCH)), len(chances) - 1)]
        a = embed(table, corpus.rows(chosen[:, 0], random, True))
        b = embed(table, corpus.rows(chosen[:, 1], random, True))
        scores = a @ b.T / options.temperature
        same = chosen[:, 2][:, None] == chosen[:, 2][None, :]
        same |= chosen[:, 0][:, None] == chosen[:, 0][None, :]
        same |= chosen[:, 1][:, None] == chosen[:, 1][None, :]
        np.fill_diagonal(same, False)
        scores = scores.masked_fill(torch.from_numpy(same), -1e4)
        answer = torch.arange(BATCH)
        loss = (torch.nn.functional.cross_entropy(scores, answer) + torch.nn.functional.cross_entropy(scores.T, answer)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        shown.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f'step {step + 1} loss {np.mean(shown[-100:]):.3f} {time.time() - begin:.0f} s', flush=True)
    return table.detach()


def rotate(corpus, table, random):
    """Turns all rows so that the first components of texts' vectors hold the most; no cosine changes."""
    which = random.permutation(corpus.settings['paired'])[:50_000]
    vectors = torch.cat([embed(table, corpus.rows(part, random, False)) for part in np.array_split(which, 50)])
    _, axes = torch.linalg.eigh(vectors.T @ vectors)
    return table @ axes.flip(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('work', type=Path)
    parser.add_argument('--steps', type=int, default=3500)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--init', choices=['svd', 'random'], default='svd')
    parser.add_argument('--rate', type=float, default=0.01)
    parser.add_argument('--temperature', type=float, default=0.06)
    parser.add_argument('--out', default='rows.f32')
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    corpus = Corpus(options.work)
    table = train(corpus, options)
    rotate(corpus, table, np.random.default_rng(options.seed)).numpy().astype('<f4').tofile(options.work / options.out)


if __name__ == '__main__':
    main()
