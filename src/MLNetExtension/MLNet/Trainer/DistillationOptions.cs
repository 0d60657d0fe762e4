using MLNetExtension.Losses;
using MLNetExtension.Training;

namespace MLNetExtension;

/// <summary>A teacher, whose distribution over the tokens that may follow is learned beside the tokens that do.</summary>
/// <remarks>
/// <para>A target costs <c>(1 - Share) CE + Share Temperature^2 D(softmax(t / Temperature), softmax(z / Temperature))</c>, for the cross entropy CE, the divergence D, the teacher's logits t and the student's z.
/// Losses are summed over targets and divided once, as without a teacher. Evaluations measure the cross entropy.</para>
/// <para>The teacher reads the same tokens as the student: it has the student's tokenizer, and at least its context. Its width, its layers and its kind may be others, and the number of its embeddings, which published
/// models of one tokenizer round up differently. Another loss, label smoothing and z-loss are not allowed beside it.</para>
/// </remarks>
public sealed record DistillationOptions
{
    private const double LowestTemperature = 0.01, HighestTemperature = 100;

    /// <summary>The teacher.</summary>
    public required TeacherModel Teacher { get; init; }

    /// <summary>How far the student's distribution is from the teacher's. Default <see cref="Divergence.ForwardKl"/>.</summary>
    public Divergence Divergence { get; init; } = Divergence.ForwardKl;

    /// <summary>The weight of the teacher's part; the rest is that of the cross entropy. Default 0.5; above 0 and at most 1.</summary>
    public double Share { get; init; } = 0.5;

    /// <summary>What the logits of both are divided by in the teacher's part: above 1 it makes less likely tokens count for more. Default 1; from 0.01 to 100.</summary>
    public double Temperature { get; init; } = 1;

    internal void Validate(string group, LossOptions loss, string lossGroup)
    {
        ArgumentNullException.ThrowIfNull(Teacher, $"{group}.{nameof(Teacher)}");
        ArgumentNullException.ThrowIfNull(Divergence, $"{group}.{nameof(Divergence)}");
        Teacher.Validate($"{group}.{nameof(Teacher)}");
        Divergence.Validate($"{group}.{nameof(Divergence)}");
        Require.That(Share is > 0 and <= 1, Share, "above 0 and at most 1", group);
        Require.That(Temperature is >= LowestTemperature and <= HighestTemperature, Temperature, "from 0.01 to 100", group);
        Require.That(loss.Kind == LossKind.CrossEntropy, loss.Kind.Describe(), $"{LossKind.CrossEntropy.Describe()} beside {group}", lossGroup, nameof(loss.Kind));
        Require.That(loss.TokenLoss is null, loss.TokenLoss, $"null beside {group}", lossGroup, nameof(loss.TokenLoss));
        Require.That(loss.LabelSmoothing == 0, loss.LabelSmoothing, $"0 beside {group}", lossGroup, nameof(loss.LabelSmoothing));
        Require.That(loss.ZLoss == 0, loss.ZLoss, $"0 beside {group}", lossGroup, nameof(loss.ZLoss));
    }

    /// <summary>What a trained model remembers: not the teacher itself.</summary>
    internal DistillationOptions CopyForModel() => Teacher is TeacherModel.TrainedTeacher ? this with { Teacher = new TeacherModel.TrainedTeacher() } : this;
}
