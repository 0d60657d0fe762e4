using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>How far the distribution of a student, p, is from that of a teacher, q, over the tokens that may follow.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ForwardKlDivergence), "forwardKl")]
[JsonDerivedType(typeof(ReverseKlDivergence), "reverseKl")]
[JsonDerivedType(typeof(JensenShannonDivergence), "jensenShannon")]
public abstract record Divergence
{
    private protected Divergence()
    {
    }

    /// <summary>KL(q, p), the sum of q (log q - log p): the student covers all that the teacher thinks likely.</summary>
    /// <remarks>Source: G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network", 2015, arXiv 1503.02531.</remarks>
    public static Divergence ForwardKl { get; } = new ForwardKlDivergence();

    /// <summary>KL(p, q), the sum of p (log p - log q): the student avoids what the teacher thinks unlikely.</summary>
    /// <remarks>Source: Y. Gu et al., "MiniLLM: knowledge distillation of large language models", 2024, arXiv 2306.08543; here over the tokens of the data.</remarks>
    public static Divergence ReverseKl { get; } = new ReverseKlDivergence();

    /// <summary>b KL(q, m) + (1 - b) KL(p, m) for the mixture m = b q + (1 - b) p: between the two others, and bounded.</summary>
    /// <param name="teacherShare">b. Default 0.5; above 0 and below 1. Near 0 it behaves like the forward divergence, near 1 like the reverse one.</param>
    /// <remarks>Source: R. Agarwal et al., "On-policy distillation of language models", 2024, arXiv 2306.13649, equation 1.</remarks>
    public static Divergence JensenShannon(double teacherShare = 0.5) => new JensenShannonDivergence(teacherShare);

    /// <summary>The divergence in words, for the log.</summary>
    internal abstract string Describe();

    /// <summary>Computes the divergence and its derivative by the student's logits.</summary>
    /// <param name="student">log p, [n,V]; its memory is used.</param>
    /// <param name="teacher">log q, [n,V]; its memory is used.</param>
    /// <returns>Nats, [n,1] float64; and the derivative, [n,V].</returns>
    internal abstract (Tensor Nats, Tensor Slope) Compare(Tensor student, Tensor teacher);

    /// <summary>Checks the divergence's numbers.</summary>
    /// <param name="group">What messages call it.</param>
    /// <exception cref="ArgumentOutOfRangeException">One is out of its range.</exception>
    internal virtual void Validate(string group)
    {
    }

    private static Tensor SumRows(Tensor values) => values.sum([1], keepdim: true, type: float64);

    internal sealed record ForwardKlDivergence : Divergence
    {
        internal override string Describe() => "forward KL divergence";

        internal override (Tensor Nats, Tensor Slope) Compare(Tensor student, Tensor teacher)
        {
            Tensor q = teacher.exp();
            Tensor nats = SumRows(teacher.sub_(student).mul_(q));
            return (nats, student.exp_().sub_(q));
        }
    }

    internal sealed record ReverseKlDivergence : Divergence
    {
        internal override string Describe() => "reverse KL divergence";

        internal override (Tensor Nats, Tensor Slope) Compare(Tensor student, Tensor teacher)
        {
            Tensor p = student.exp(), difference = student.sub_(teacher);
            Tensor nats = SumRows(p * difference);
            return (nats, p.mul_(difference.sub_(nats.to(p.dtype))));
        }
    }

    internal sealed record JensenShannonDivergence(double TeacherShare) : Divergence
    {
        internal override string Describe() => FormattableString.Invariant($"Jensen-Shannon divergence with a teacher's share of {TeacherShare}");

        // Where the mixture moves with p, what that adds to the two derivatives cancels: (1 - b) (log p - log m) by p is left, which goes back through the softmax.
        internal override (Tensor Nats, Tensor Slope) Compare(Tensor student, Tensor teacher)
        {
            Tensor mixture = logaddexp(teacher.Plus(Math.Log(TeacherShare)), student.Plus(Math.Log(1 - TeacherShare)));
            Tensor p = student.exp(), q = teacher.exp(), difference = student.sub_(mixture);
            Tensor own = SumRows(p * difference), others = SumRows(teacher.sub_(mixture).mul_(q));
            return ((others * Scalars.Of(TeacherShare)).Plus(own * Scalars.Of(1 - TeacherShare)), p.mul_(difference.sub_(own.to(p.dtype))).mul_(Scalars.Of(1 - TeacherShare)));
        }

        internal override void Validate(string group) => Require.That(TeacherShare is > 0 and < 1, TeacherShare, "above 0 and below 1", group);
    }
}
