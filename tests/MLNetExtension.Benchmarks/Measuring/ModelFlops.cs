using MLNetExtension.Models.Gpt2;

namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>
/// Floating-point operations of training a GPT-2 on a row, by the usual formula (Chowdhery et al. 2022, PaLM, appendix B): what a system computes
/// beyond it (padding, recomputation) or leaves out (half of causal attention) does not count. L layers, C width, V vocabulary, T positions.
/// </summary>
internal static class ModelFlops
{
    /// <summary>Forward and backward of one row.</summary>
    /// <param name="model">Sizes of the model.</param>
    /// <param name="positions">T, without padding.</param>
    public static double OfRow(Gpt2Configuration model, long positions)
    {
        // A weight that multiplies costs 2 operations forward and 4 backward: per block 3C^2 + C^2 in attention, 4C^2 + 4C^2 after it; and the head.
        double weights = model.Layers * 12.0 * model.Width * model.Width + (double)model.VocabularySize * model.Width;
        // Scores and their use: 2 products of T by C per position and layer.
        double attention = 12.0 * model.Layers * model.Width * positions;
        return positions * (6 * weights + attention);
    }
}
