using FsCheck;
using FsCheck.Fluent;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>The law for every loss but the plain cross entropy, which <see cref="AnySplitTests"/> hold: any split over micro-batches and workers, any layout, gives the gradient of the full batch.</summary>
[TestClass]
public sealed class LossLawTests
{
    // What is accumulated, and the same written out per target: from logits [N,V], targets [N] and the teacher's logits [N,V'] to losses [N].
    private static readonly Dictionary<string, (Func<Gpt2Model, GradientSettings> Settings, Func<Tensor, Tensor, Tensor, Tensor> PerTarget)> Losses = new()
    {
        ["dft with z-loss"] = (_ => new() { Loss = new LinearCrossEntropy(chunkTokens: 7, zLoss: 0.01, kind: LossKind.Dft) },
            (z, y, _) => CrossEntropy(z, y) * (-CrossEntropy(z, y)).exp().detach() + z.logsumexp(-1).square() * 0.01),
        ["focal"] = (_ => new() { Loss = new LinearCrossEntropy(chunkTokens: 7, kind: LossKind.Focal(1.5)) },
            (z, y, _) => CrossEntropy(z, y) * (1 - (-CrossEntropy(z, y)).exp()).pow(1.5)),
        ["forward"] = (teacher => Distil(teacher, Divergence.ForwardKl, 0.4, 1.5),
            (z, y, t) => 0.6 * CrossEntropy(z, y) + 0.4 * 2.25 * Kl(LogSoftmax(t, z, 1.5), LogSoftmax(z, z, 1.5))),
        ["reverse"] = (teacher => Distil(teacher, Divergence.ReverseKl, 1, 1),
            (z, y, t) => Kl(LogSoftmax(z, z, 1), LogSoftmax(t, z, 1))),
        ["jensen-shannon"] = (teacher => Distil(teacher, Divergence.JensenShannon(0.3), 0.7, 1),
            (z, y, t) =>
            {
                Tensor p = LogSoftmax(z, z, 1), q = LogSoftmax(t, z, 1), m = (0.3 * q.exp() + 0.7 * p.exp()).log();
                return 0.3 * CrossEntropy(z, y) + 0.7 * (0.3 * Kl(q, m) + 0.7 * Kl(p, m));
            }),
    };

    public static IEnumerable<string> Names => Losses.Keys;

    // CASES 40 to 42. Liger #974, trl #6478: the mask or the count of the teacher's positions.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Any_split_over_micro_batches_and_workers_gives_the_full_batchs_loss_and_gradient(string name)
    {
        foreach (AnySplitTests.Case drawn in Cases(20))
        {
            using var scope = NewDisposeScope();
            (double expectedLoss, Tensor expected) = FullBatch(name, drawn.Batch());
            (BatchLoss loss, Tensor gradient) = Accumulate(name, drawn, LossNormalization.Token);
            Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected), drawn.ToString());
            Assert.AreEqual(expectedLoss, loss.Mean, 1e-12 * expectedLoss, drawn.ToString());
        }
    }

    // The control.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void The_mean_of_means_is_another_gradient(string name)
    {
        AnySplitTests.Case[] uneven = [.. Cases(30).Where(drawn => drawn.Split().Select(part => part.Sum(e => e.Weight * e.TargetCount)).Where(count => count > 0).Distinct().Count() > 1)];
        Assert.IsGreaterThan(5, uneven.Length);
        foreach (AnySplitTests.Case drawn in uneven)
        {
            using var scope = NewDisposeScope();
            Assert.IsGreaterThan(1e-4, Ragged.RelativeError(Accumulate(name, drawn, LossNormalization.MicroBatchMean).Gradient, FullBatch(name, drawn.Batch()).Gradient), drawn.ToString());
        }
    }

    [TestMethod]
    public void A_teacher_is_not_changed_and_has_no_gradient()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model teacher = Teacher(), untouched = Teacher(), model = Ragged.Model();
        using BatchGradient gradient = new(model, Losses["forward"].Settings(teacher));
        gradient.Accumulate(Ragged.Split(Ragged.Examples(), 3), workers: 2);
        foreach ((Parameter own, Parameter other) in teacher.parameters().Zip(untouched.parameters()))
        {
            Assert.IsNull(own.grad);
            CollectionAssert.AreEqual(other.bytes.ToArray(), own.bytes.ToArray());
        }
    }

    // Another width, more layers, more rows of its embedding, and experts, whose routers a training would write to.
    private static Gpt2Model Teacher()
    {
        Gpt2Model model = new(new Gpt2Configuration(Ragged.Vocabulary + 3, ContextLength: 24, Layers: 3, Heads: 2, Width: 16, Dropout: 0.5, Experts: 3, ExpertsPerToken: 1), seed: 9);
        model.to(ScalarType.Float64);
        using (no_grad())
        {
            foreach (Parameter parameter in model.parameters())
                parameter.mul_(parameter.dim() >= 2 ? 6 : 1);
        }
        model.eval();
        return model;
    }

    private static IEnumerable<AnySplitTests.Case> Cases(int count) =>
        AnySplitTests.Case.Generator.Sample(count, new Rnd(7), 10).Where(drawn => drawn.Batch().Sum(e => e.Weight * e.TargetCount) > 0);

    private static (BatchLoss Loss, Tensor Gradient) Accumulate(string name, AnySplitTests.Case drawn, LossNormalization normalization)
    {
        using Gpt2Model teacher = Teacher(), model = Ragged.Model();
        GradientSettings settings = Losses[name].Settings(teacher) with { Normalization = normalization, Pack = drawn.Pack, Recompute = drawn.Recompute };
        using BatchGradient gradient = new(model, settings);
        return (gradient.Accumulate(drawn.Split(), workers: 1 + drawn.Seed % 3), gradient.Parameters.Gradients.clone());
    }

    // Whole logits, padded rows, automatic differentiation, one division.
    private static (double Loss, Tensor Gradient) FullBatch(string name, IReadOnlyList<TokenExample> batch)
    {
        using Gpt2Model teacher = Teacher(), model = Ragged.Model();
        using FlatParameters parameters = new(model.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        Tensor counted = targets.flatten().ne(TokenExample.IgnoredTarget).nonzero().flatten();                                          // [N]
        Tensor weights = tensor([.. batch.Select(e => e.Weight)], dtype: float64).unsqueeze(1).expand(targets.shape).flatten().index_select(0, counted);  // [N]
        Tensor losses = Losses[name].PerTarget(At(model.call(ids)), targets.flatten().index_select(0, counted), At(teacher.call(ids).detach()));
        Tensor loss = (losses * weights).sum() / weights.sum();
        loss.backward();
        return (loss.ToDouble(), parameters.Gradients.clone());

        Tensor At(Tensor logits) => logits.flatten(0, 1).index_select(0, counted);                                                      // [N,V]
    }

    private static GradientSettings Distil(Gpt2Model teacher, Divergence divergence, double share, double temperature) =>
        new() { Loss = new LinearDistillation(divergence, share, temperature, chunkTokens: 7), Teacher = teacher };

    private static Tensor CrossEntropy(Tensor logits, Tensor targets) => nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.None);

    private static Tensor LogSoftmax(Tensor logits, Tensor student, double temperature) => (logits.narrow(1, 0, student.shape[1]) / temperature).log_softmax(1);

    private static Tensor Kl(Tensor logP, Tensor logQ) => (logP.exp() * (logP - logQ)).sum(1);
}
