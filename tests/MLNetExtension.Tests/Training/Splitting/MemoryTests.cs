using System.Runtime.InteropServices;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Splitting;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Splitting;

/// <summary>Out of memory, and half precision.</summary>
[TestClass]
public sealed class MemoryTests
{
    [TestMethod]
    public void When_memory_runs_out_the_batch_starts_again_with_half_the_budget_and_the_result_is_the_same()
    {
        using var scope = NewDisposeScope();
        TrainingOptions options = new() { MaximumSteps = 3, BatchSize = 8, Batching = new() { MaximumTokensPerMicroBatch = 10_000 } };
        (Tensor plain, _) = Train(options, limit: int.MaxValue);
        List<(int Step, SplitPlan Before, SplitPlan After)> reductions = [];
        (Tensor starved, List<StepReport> steps) = Train(options, limit: 60, (step, planned, used) => reductions.Add((step, planned, used)));

        Assert.IsLessThan(1e-10, Ragged.RelativeError(starved, plain));
        Assert.IsLessThanOrEqualTo(60, steps[0].TokensPerMicroBatch);
        Assert.AreEqual(1, steps.Select(step => step.TokensPerMicroBatch).Distinct().Count(), "the budget found is kept");
        (int step, SplitPlan before, SplitPlan after) = reductions.Single();
        Assert.AreEqual((1, 10_000, steps[0].TokensPerMicroBatch, 1, 1), (step, before.Tokens, after.Tokens, before.Workers, after.Workers));
    }

    [TestMethod]
    public void Memory_too_small_for_a_single_row_is_the_allocators_own_error()
    {
        using var scope = NewDisposeScope();
        ExternalException error = Assert.ThrowsExactly<ExternalException>(() => Train(new TrainingOptions { MaximumSteps = 1 }, limit: 3));
        StringAssert.Contains(error.Message, "can't allocate memory");
    }

    // The default options balance experts over the batch, which takes a forward pass to count them. (A model without experts made it too.)
    [TestMethod]
    public void A_model_without_routers_passes_every_micro_batch_through_once()
    {
        using LimitedModel model = new(Ragged.Model(), int.MaxValue);
        int microBatches = 0;
        TrainingLoop.Run(model, Ragged.Examples(16), new TrainingOptions { MaximumSteps = 2, Batching = new() { MaximumTokensPerMicroBatch = 60 } }, seed: 1, step => microBatches += step.MicroBatches);
        Assert.IsGreaterThan(2, microBatches);
        Assert.AreEqual(microBatches + 1, model.Passes, "one more micro-batch shows that the weights of the last step are good");
    }

    [TestMethod]
    public void An_error_that_is_not_about_memory_is_passed_on_at_once() =>
        Assert.IsFalse(OutOfMemory.Caused(new ExternalException("The size of tensor a (3) must match the size of tensor b (4)")));

    [TestMethod]
    [DataRow("CUDA out of memory. Tried to allocate 20.00 MiB")]
    [DataRow("[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes.")]
    [DataRow("[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes.")]
    public void Every_allocators_words_are_known(string message) => Assert.IsTrue(OutOfMemory.Caused(new ExternalException(message)));

    [TestMethod]
    public void A_budget_is_halved_below_the_batch_until_rows_stand_alone()
    {
        TokenExample[] batch = [.. Enumerable.Range(0, 4).Select(row => Ragged.Example(new Random(row), 10, row))];
        List<(int, int)> plans = [];
        for (SplitPlan? plan = new SplitPlan(10_000, 2, Threads: 2, Pack: false).Reduce(batch); plan is not null; plan = plan.Value.Reduce(batch))
            plans.Add((plan.Value.Tokens, plan.Value.Workers));
        CollectionAssert.AreEqual(new[] { (20, 2), (10, 2), (10, 1) }, plans);
    }

    // A long row without targets is in no micro-batch, so its length bounds nothing. (It kept the budget from being halved.)
    [TestMethod]
    public void A_row_without_targets_does_not_keep_the_budget_from_being_halved()
    {
        TokenExample[] batch = [Ragged.WithoutTargets(24), .. Enumerable.Range(0, 8).Select(row => Ragged.Example(new Random(row), 3, row, masked: 0))];
        Assert.IsNotNull(new SplitPlan(24, 1, Threads: 1, Pack: false).Reduce(batch));
    }

    // Sums over micro-batches are float32: 64 of them are no less exact than one. Plain bfloat16 sums lose what is smaller than their last bit.
    [TestMethod]
    public void Sixty_four_half_precision_micro_batches_are_no_less_exact_than_one()
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(64);
        double one = Error([[.. batch.Take(1)]], out _);
        double all = Error(Ragged.Split(batch, 1), out double plain);

        Assert.IsLessThanOrEqualTo(one, all);
        Assert.IsGreaterThan(all * 1.2, plain);
    }

    [TestMethod]
    public void A_model_trained_in_half_precision_ends_in_float32_close_to_one_trained_in_float32()
    {
        using var scope = NewDisposeScope();
        Tensor single = Weights(ComputePrecision.Float32), half = Weights(ComputePrecision.BFloat16);
        Assert.AreEqual(ScalarType.Float32, half.dtype);
        double error = Ragged.RelativeError(half, single);
        Assert.IsLessThan(0.02, error);
        Assert.IsGreaterThan(0, error);

        static Tensor Weights(ComputePrecision precision)
        {
            using Gpt2Model model = Ragged.Model(ScalarType.Float32);
            TrainingLoop.Run(model, Ragged.Examples(8), new TrainingOptions { MaximumSteps = 10, Batching = new() { Precision = precision } }, seed: 1);
            return cat([.. model.parameters().Select(p => p.detach().flatten())]);
        }
    }

    // Relative error of the bfloat16 gradient, summed in float32 by the flat parameters and, for comparison, by bfloat16 itself, against float64 from the same rounded weights.
    private static double Error(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, out double plainError)
    {
        using Gpt2Model half = Ragged.Model(ScalarType.BFloat16), exact = Ragged.Model(ScalarType.BFloat16);
        exact.to(ScalarType.Float64);
        GradientSettings settings = new() { Normalization = LossNormalization.Sum };
        using WorkerGradient gradient = new(half, settings), reference = new(exact, settings);
        Tensor plain = zeros_like(gradient.Parameters.Gradients).to(bfloat16);
        foreach (IReadOnlyList<TokenExample> microBatch in microBatches)
        {
            Tensor before = gradient.Parameters.Gradients.clone();
            gradient.Add(microBatch, 0);
            plain.add_((gradient.Parameters.Gradients - before).to(bfloat16));
            reference.Add(microBatch, 0);
        }
        plainError = Ragged.RelativeError(plain.to(float64), reference.Parameters.Gradients);
        return Ragged.RelativeError(gradient.Parameters.Gradients.to(float64), reference.Parameters.Gradients);
    }

    private static (Tensor Weights, List<StepReport> Steps) Train(TrainingOptions options, int limit, Action<int, SplitPlan, SplitPlan>? onOutOfMemory = null)
    {
        using LimitedModel model = new(Ragged.Model(), limit);
        List<StepReport> steps = [];
        TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(16), options, Seed: 1) { OnStep = steps.Add, OnOutOfMemory = onOutOfMemory });
        return (cat([.. model.parameters().Select(p => p.detach().flatten())]), steps);
    }

    // Fails as libtorch's allocator does, and only after the embedding, so that a part of the batch is done already.
    private sealed class LimitedModel : CausalLanguageModel
    {
        private readonly Gpt2Model _inner;
        private readonly int _limit;

        public LimitedModel(Gpt2Model inner, int limit)
            : base(nameof(LimitedModel))
        {
            (_inner, _limit) = (inner, limit);
            RegisterComponents();
        }

        public override int VocabularySize => _inner.VocabularySize;

        public override int ContextLength => _inner.ContextLength;

        public override Tensor HeadWeight => _inner.HeadWeight;

        public override IReadOnlyList<TransformerBlock> Blocks => _inner.Blocks;

        public int Passes { get; private set; }

        public override Tensor TokenEmbedding => _inner.TokenEmbedding;

        public override Tensor AddPositions(Tensor tokens, SequenceLayout layout)
        {
            long positions = tokens.shape[0] * tokens.shape[1];
            if (positions > _limit)
                throw new ExternalException($"[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: can't allocate memory: you tried to allocate {positions} bytes.");
            Passes++;
            return _inner.AddPositions(tokens, layout);
        }

        public override Tensor Normalize(Tensor hidden) => _inner.Normalize(hidden);

        public override void ReseedDropout(long seed) => _inner.ReseedDropout(seed);
    }
}
