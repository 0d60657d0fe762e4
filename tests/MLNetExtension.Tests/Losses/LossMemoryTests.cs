using MLNetExtension.Losses;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Losses;

[TestClass]
[TestCategory("Alone")]
[DoNotParallelize]
public sealed class LossMemoryTests
{
    // 4,096 targets over 8,192 tokens: whole logits would take 128 MiB; 64 targets at a time take 2 MiB.
    [TestMethod]
    public void Logits_are_never_whole()
    {
        if (!OperatingSystem.IsLinux())
            return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        const int Targets = 4096, Width = 8, Vocabulary = 8192;
        Tensor hidden = randn(Targets, Width, generator: new Generator(1)), head = randn(Vocabulary, Width, generator: new Generator(2));
        Tensor targets = zeros(Targets, dtype: int64), hiddenGradient = zeros_like(hidden), headGradient = zeros_like(head);

        long chunked = PeakMemory.Growth(() => new LinearCrossEntropy(chunkTokens: 64).Backward(
            new TokenTargets(hidden, head, targets, null, Targets), new TokenGradients(hiddenGradient, headGradient, 1)));
        long whole = PeakMemory.Growth(() => new LinearCrossEntropy(chunkTokens: Targets).Backward(
            new TokenTargets(hidden, head, targets, null, Targets), new TokenGradients(hiddenGradient, headGradient, 1)));

        Assert.IsLessThan(32L << 20, chunked);
        Assert.IsGreaterThan(96L << 20, whole);
    }

    // The logits of student and teacher, 64 MiB each as a whole, are there several times over: as logarithms, probabilities and gradients. Chunks of a 32nd of the targets take a small part of that.
    [TestMethod]
    public void Neither_the_students_nor_the_teachers_logits_are_ever_whole()
    {
        if (!OperatingSystem.IsLinux())
            return;
        using var scope = NewDisposeScope();
        const int Targets = 2048, Width = 8, Vocabulary = 8192;
        Tensor hidden = randn(Targets, Width, generator: new Generator(1)), head = randn(Vocabulary, Width, generator: new Generator(2));
        TokenTargets targets = new(hidden, head, zeros(Targets, dtype: int64), null, Targets) { Teacher = new TeacherStates(hidden, head, null) };
        TokenGradients gradients = new(zeros_like(hidden), zeros_like(head), 1);

        Distil(chunkTokens: 1);    // the first call also reads the kernels' code, some 150 MiB
        long chunked = PeakMemory.Growth(() => Distil(chunkTokens: 64)), whole = PeakMemory.Growth(() => Distil(chunkTokens: Targets));
        Assert.IsGreaterThan(192L << 20, whole);
        Assert.IsLessThan(48L << 20, chunked);

        void Distil(int chunkTokens)
        {
            using var call = NewDisposeScope();
            new LinearDistillation(Divergence.ForwardKl, 0.5, 2, chunkTokens).Backward(targets, gradients);
        }
    }
}
