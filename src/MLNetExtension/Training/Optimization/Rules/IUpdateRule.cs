using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>How a step updates weights, and the state that it keeps for them.</summary>
internal interface IUpdateRule : IDisposable
{
    /// <summary>The state, under the names that checkpoints give it; a vector each. Where ranks share the state, all are as long as what the rule updates.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> State { get; }

    /// <summary>Updates a piece of the weights. Its gradient serves as scratch space: it is overwritten.</summary>
    /// <param name="update">The piece.</param>
    void Step(in Update update);

    /// <summary>Whether <see cref="TakeBack"/> gives the weights before a step of a piece back, up to rounding.</summary>
    /// <param name="learningRate">The largest learning rate of a piece.</param>
    /// <param name="weightDecay">The largest weight decay of a piece.</param>
    bool CanTakeBack(double learningRate, double weightDecay) => false;

    /// <summary>Takes the last step back from the weights of a piece; the state stays. Its gradient serves as scratch space.</summary>
    /// <param name="update">The piece, as the step had it.</param>
    void TakeBack(in Update update) => throw new NotSupportedException("The weights before a step have to be kept.");
}
