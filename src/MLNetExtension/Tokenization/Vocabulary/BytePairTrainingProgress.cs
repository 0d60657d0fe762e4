namespace MLNetExtension.Tokenization.Vocabulary;

/// <summary>How far the training of a vocabulary is: first the words of all texts are counted, then pairs are merged.</summary>
/// <param name="Texts">The texts whose words have been counted.</param>
/// <param name="Chars">Their chars.</param>
/// <param name="Merges">The pairs that have been merged.</param>
/// <param name="MaximumMerges">How many pairs there will be at most.</param>
public sealed record BytePairTrainingProgress(long Texts, long Chars, int Merges, int MaximumMerges);
