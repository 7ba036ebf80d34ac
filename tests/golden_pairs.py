"""Adapters of golden files about teachers, targets and weights of pairs."""

from skcontrast.objectives import TeacherMatch


def distilcse_ckd(case):
    """The batch's own rows of the teacher join the queue after the loss."""
    for block_size in (None, 3):
        student = case.leaf("student")
        objective = TeacherMatch(1 / case.number("scale"), block_size=block_size)
        named = {"prior": case.constant("teacher"), "queue": case.constant("queue_before")}
        loss = objective(student[None], **named).mean()
        case.check_loss("loss", loss, grad_student=student)
