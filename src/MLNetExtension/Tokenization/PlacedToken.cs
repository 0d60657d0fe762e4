namespace MLNetExtension.Tokenization;

/// <summary>A token and where it stands.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">Its first char.</param>
/// <param name="End">The char behind its last.</param>
internal readonly record struct PlacedToken(int Id, int Start, int End);
