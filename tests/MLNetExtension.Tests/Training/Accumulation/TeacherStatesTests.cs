using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>What a loss is given of a teacher.</summary>
[TestClass]
public sealed class TeacherStatesTests
{
    // The loss applies the head, a chunk at a time: were it given logits, they would be whole, [N,V].
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void A_loss_gets_the_teachers_hidden_states_at_the_targets_and_its_head(bool pack)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model student = Ragged.Model(), teacher = Ragged.Model(seed: 2);
        teacher.eval();
        TokenExample[] rows = Ragged.Examples();
        SeeingLoss loss = new();
        using BatchGradient gradient = new(student, new GradientSettings { Teacher = teacher, Loss = loss, Pack = pack });
        gradient.Accumulate(Ragged.Split(rows, 3));
        Assert.AreEqual(rows.Sum(row => (long)row.TargetCount), loss.Targets);
    }

    /// <summary>The cross entropy, which looks at the teacher.</summary>
    private sealed class SeeingLoss : ITokenLoss
    {
        private readonly LinearCrossEntropy _loss = new();

        public long Targets { get; private set; }

        public LossSum Backward(TokenTargets targets, TokenGradients gradients)
        {
            long count = targets.Targets.shape[0];
            Assert.IsNotNull(targets.Teacher?.HeadWeight);
            CollectionAssert.AreEqual(new[] { count, targets.Teacher.HeadWeight.shape[1] }, targets.Teacher.Hidden.shape);
            Targets += count;
            return _loss.Backward(targets, gradients);
        }
    }
}
