"""Adapters of golden files about keys, queues and memories of earlier rows."""

import math
from types import SimpleNamespace

import torch

from skcontrast.functional import normalize
from skcontrast.objectives import (
    CrossViewDistribution,
    InfoNCE,
    InstanceDiscrimination,
    SelfDistillation,
)


def with_queue(objective, queue, n_views=2):
    """A built objective whose queue (V, K, d) is full of keys of rows that are not in the batch."""
    n_rows = 2 * queue.shape[1]
    rows = SimpleNamespace(train_index=range(n_rows))
    built = objective.build(n_rows)
    built.prepare({}, {"rows": rows, "n_slots": n_views, "width": queue.shape[2]})
    built.double().queue.push(queue, n_rows - 1 - torch.arange(queue.shape[1]))
    assert built.queue.pointer == 0
    return built


def infonce_queue(case):
    """One way, with the queue before the batch; keys that pass its end go on at its start.

    The reference drops those that pass the end.
    """
    queue, k = case.constant("queue_before"), case.constant("k")
    n, size = len(k), len(queue)
    index = 2 * size + torch.arange(n)  # of no row of the queue, however large the batch
    for block_size in (None, 3):
        objective = InfoNCE(
            case.number("temperature"), "one_way", queue_size=size, block_size=block_size
        )
        q = case.leaf("q")
        built = with_queue(objective, queue[None])
        loss = built(torch.stack([q, k]), index=index).mean()
        case.check_loss("loss", loss, grad_q=q)
        if n <= size:
            case.check("queue_after", built.queue.keys[0])
            case.check("ptr_after", built.queue.pointer)
        assert set(built.queue.index.tolist()) >= set(index[-size:].tolist())


def cross_view_distribution(case):
    """The batch joins the queue after the loss, whose candidates are both."""
    reference, before, after = (
        torch.stack([case.constant(f"{name[0]}{v}{name[1]}") for v in (0, 1)])
        for name in (("reference", ""), ("queue", "_before"), ("queue", "_after"))
    )
    for block_size in (None, 3):
        students = case.leaves("student0", "student1")
        objective = CrossViewDistribution(
            case.number("student_temperature"),
            case.number("reference_temperature"),
            block_size,
            queue_size=before.shape[1],
        )
        built = with_queue(objective, before)
        n = before.shape[1] + torch.arange(len(students[0]))
        loss = built(torch.stack(students), keys=reference, index=n).mean()
        case.check_loss("loss", loss, grad_student0=students[0], grad_student1=students[1])
        oldest_first = built.queue.keys.roll(-int(built.queue.pointer), 1)
        for v in (0, 1):
            case.check(f"queue{v}_after", oldest_first[v], expected=after[v])
        # Handed over as tensors, the queue is the same.
        loss = objective(torch.stack(students), keys=reference, queue=before).mean()
        case.check("loss", loss)


def instance_nce(case):
    """Noise contrast against a memory.

    The reference adds 1e-7 to denominators: a slightly larger Z, and a constant for each noise row.
    """
    memory, index, noise = (case.constant(k) for k in ("memory", "index", "noise_index"))
    tau, n_noise = case.number("temperature"), noise.shape[1]
    objective = InstanceDiscrimination(n_noise, case.number("momentum"), tau)
    z, log_z = case.leaf("z"), math.log(case.number("normaliser"))
    unit = normalize(z.detach())[None]
    case.check("normaliser", objective.log_normalizer(unit, memory, index, noise).exp())
    x = objective._logits(unit, memory, index, noise)
    case.check("probabilities", (x - log_z).exp())
    more = math.log1p(case.number("criterion_eps") * len(memory) / n_noise)
    given = {"memory": memory, "index": index}
    loss = objective(z[None], noise_index=noise, log_normalizer=log_z + more, **given)
    case.check_loss("loss", loss.mean() + n_noise * more, grad_z=z)
    # The memory moves in a training, whatever the noise.
    built = objective.build(len(memory))
    built.memory = memory
    built.double()(z[None], index=index)
    case.check("memory_after", built.memory)


def self_distillation(case):
    """Outputs of student and teacher as they are; the center moves after the loss."""
    student, taught, center = (
        case.leaf("student"),
        case.constant("teacher"),
        case.constant("center"),
    )
    objective = SelfDistillation(
        n_outputs=len(center),
        temperature=case.number("student_temperature"),
        teacher_temperature=case.number("teacher_temperature"),
        center_momentum=case.number("center_momentum"),
    )
    loss = objective(student, keys=taught, center=center).mean()
    case.check_loss("loss", loss, grad_student=student)
    built = objective.build(student.shape[1]).double()
    built.center = center
    built.recenter(taught)
    case.check("center_after", built.center)
