using System.Text.Json;
using MLNetExtension.Data;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>transformers #48690, NeMo Automodel #3359, ms-swift #5823: the balance loss grew with the number of micro-batches or ranks. ms-swift #5375: it was added twice.</summary>
[TestClass]
public sealed class RouterBalanceTests
{
    private const int Experts = 4;
    private const double Coefficient = 0.3;

    [TestMethod]
    [DataRow(8, 1, false, false, DisplayName = "1x8")]
    [DataRow(3, 1, false, false, DisplayName = "3 rows at a time")]
    [DataRow(1, 1, false, false, DisplayName = "8x1")]
    [DataRow(3, 2, false, false, DisplayName = "two experts for each token")]
    [DataRow(3, 2, true, false, DisplayName = "packed")]
    [DataRow(3, 2, false, true, DisplayName = "recomputed")]
    public void Over_a_batch_loss_and_gradient_are_those_of_the_papers_formula_for_every_split(int rows, int perToken, bool pack, bool recompute)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples();
        (double expectedLoss, Tensor expected) = PaperFormula(batch, perToken);
        (BatchLoss loss, Tensor gradient) = Run(batch, rows, perToken, RouterBalanceScope.Batch, Coefficient, pack, recompute);

        Assert.AreEqual(expectedLoss, loss.Mean, 1e-12 * expectedLoss);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected));
    }

    // CASES 38, Megatron #2121: prompts and padding were counted. Seen to fail with: every real token counted.
    [TestMethod]
    public void What_a_prompt_or_padding_is_routed_to_changes_no_share()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(experts: Experts);
        model.train();
        Random random = new(3);
        TokenExample answer = Ragged.Example(random, 6, 0, masked: 0);
        TokenExample prompted = new(
            [.. Enumerable.Range(0, 20).Select(_ => random.Next(Ragged.Vocabulary)), .. answer.Ids[..4]], [.. Enumerable.Repeat(TokenExample.IgnoredTarget, 20), .. answer.Targets[..4]], 0, 1);

        double balance = Loss(1) - Loss(0);
        double expected = Enumerable.Range(0, model.Blocks.Count).Sum(ExpectedOf);
        Assert.AreEqual(expected, balance, 1e-12 * expected);

        double Loss(double alpha)
        {
            using Gpt2Model other = Ragged.Model(experts: Experts);
            other.train();
            using BatchGradient gradient = new(other, new GradientSettings { BalanceCoefficient = alpha });
            return gradient.Accumulate([[answer, prompted]]).Mean;
        }

        double ExpectedOf(int block)
        {
            using MicroBatch rows = MicroBatch.Collate([answer, prompted], CPU);
            SequenceLayout layout = SequenceLayout.Padded(rows.RowLengths);
            Tensor hidden = model.Embed(rows.Ids, layout);
            for (int i = 0; i <= block; i++)
                hidden = model.Blocks[i].call(hidden, layout);
            Routing routing = model.Blocks[block].Routing!;
            int[] counted = [0, 1, 2, 3, 4, 5, 26, 27, 28, 29];      // the answer's six tokens, and the last four after six and a prompt of twenty
            double loss = 0;
            for (int e = 0; e < Experts; e++)
                loss += Experts * counted.Average(t => routing.Selected[t, 0].ToInt64() == e ? 1.0 : 0) * counted.Average(t => routing.Probabilities[t, e].ToDouble());
            return loss;
        }
    }

    // The control: over micro-batches the shares differ from split to split, and so does the gradient.
    [TestMethod]
    public void Over_micro_batches_the_gradient_depends_on_the_split()
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples();
        Tensor whole = Run(batch, 8, 1, RouterBalanceScope.MicroBatch).Gradient, rowByRow = Run(batch, 1, 1, RouterBalanceScope.MicroBatch).Gradient;
        Assert.IsLessThan(1e-12, Ragged.RelativeError(whole, PaperFormula(batch, 1).Gradient));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(rowByRow, whole));
    }

    // Models and checkpoints hold the name; earlier versions called a batch a window.
    [TestMethod]
    public void The_scope_keeps_its_earlier_name_in_files()
    {
        Assert.AreEqual("\"Window\"", JsonSerializer.Serialize(RouterBalanceScope.Batch, ArchiveJson.Options));
        Assert.AreEqual(RouterBalanceScope.Batch, JsonSerializer.Deserialize<RouterBalanceScope>("\"Window\"", ArchiveJson.Options));
    }

    // Experts used alike cost alpha for each block; the loss of 8 micro-batches must not be 8 times that of one.
    [TestMethod]
    [DataRow(RouterBalanceScope.Batch)]
    [DataRow(RouterBalanceScope.MicroBatch)]
    public void The_balance_loss_does_not_grow_with_the_number_of_micro_batches(RouterBalanceScope balanceScope)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(8, shortest: 20);
        double one = Balance(8), eight = Balance(1);
        Assert.AreEqual(one, eight, 0.25 * one);
        Assert.IsGreaterThan(0.9 * 2 * Coefficient, one);

        double Balance(int rows) =>
            Run(batch, rows, 1, balanceScope).Loss.Mean - Run(batch, rows, 1, balanceScope, coefficient: 0).Loss.Mean;
    }

    [TestMethod]
    public void Padding_is_routed_nowhere()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(experts: Experts);
        model.train();
        TokenExample[] batch = Ragged.Examples(4);
        using MicroBatch microBatch = MicroBatch.Collate(batch, CPU);
        SequenceLayout layout = SequenceLayout.Padded(microBatch.RowLengths);
        model.Blocks[0].call(model.Embed(microBatch.Ids, layout), layout);
        Assert.AreEqual(batch.Sum(e => e.Length), model.Blocks[0].Routing!.Probabilities.shape[0]);
    }

    [TestMethod]
    public void A_model_with_experts_trains_every_one_of_its_parameters()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32, experts: Experts, expertsPerToken: 2);
        var before = model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());
        List<double> losses = [];
        TrainingLoop.Run(model, Ragged.Examples(16), new TrainingOptions { MaximumSteps = 40, Schedule = new() { WarmupSteps = 2 } }, seed: 1, step => losses.Add(step.Loss));
        Assert.IsLessThan(losses[0] - 0.3, losses[^1]);
        foreach (var (name, parameter) in model.named_parameters())
            Assert.IsGreaterThan(0, (parameter - before[name]).abs().max().ToDouble(), name);
    }

    // CASES 38, Megatron #2121: equations 4 to 6 over all tokens of the batch that have a target, differentiated by autograd in one padded batch.
    private static (double Loss, Tensor Gradient) PaperFormula(TokenExample[] batch, int perToken)
    {
        using Gpt2Model model = Ragged.Model(experts: Experts, expertsPerToken: perToken);
        model.train();
        Tensor isTarget = tensor([.. batch.SelectMany(e => e.Targets).Select(target => target != TokenExample.IgnoredTarget)]);
        using FlatParameters parameters = new(model.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        SequenceLayout layout = SequenceLayout.Padded([.. batch.Select(e => e.Length)]);
        Tensor hidden = model.Embed(ids, layout);
        Tensor balance = zeros([], dtype: float64);
        foreach (TransformerBlock block in model.Blocks)
        {
            hidden = block.call(hidden, layout);
            Tensor probabilities = block.Routing!.Probabilities[isTarget];
            Tensor share = nn.functional.one_hot(block.Routing.Selected[isTarget], Experts).to(float64).sum(dim: 1).mean([0]);        // [E]
            balance = balance + (share * probabilities.mean([0])).sum() * Experts * Coefficient;
        }
        Tensor logits = nn.functional.linear(model.Normalize(hidden), model.HeadWeight);
        Tensor loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget, reduction: nn.Reduction.Sum)
            / batch.Sum(e => e.TargetCount) + balance;
        loss.backward();
        return (loss.ToDouble(), parameters.Gradients.clone());
    }

    private static (BatchLoss Loss, Tensor Gradient) Run(
        TokenExample[] batch, int rows, int perToken, RouterBalanceScope scope, double coefficient = Coefficient, bool pack = false, bool recompute = false)
    {
        using Gpt2Model model = Ragged.Model(experts: Experts, expertsPerToken: perToken);
        model.train();
        using BatchGradient gradient = new(model, new GradientSettings { Recompute = recompute, Pack = pack, BalanceCoefficient = coefficient, BalanceScope = scope });
        return (gradient.Accumulate(Ragged.Split(batch, rows)), gradient.Parameters.Gradients.clone());
    }
}
