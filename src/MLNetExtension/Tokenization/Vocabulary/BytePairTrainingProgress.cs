namespace MLNetExtension.Tokenization.Vocabulary;

/// <summary>The progress of training a vocabulary: first the words of all texts are counted, then pairs are merged.</summary>
/// <param name="Texts">The texts whose words have been counted.</param>
/// <param name="Chars">The number of their chars.</param>
/// <param name="Merges">The pairs that have been merged.</param>
/// <param name="MaximumMerges">How many pairs there will be at most.</param>
public sealed record BytePairTrainingProgress(long Texts, long Chars, int Merges, int MaximumMerges);
