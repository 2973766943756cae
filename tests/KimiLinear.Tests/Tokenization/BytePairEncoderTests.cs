using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Tokenization;
using Microsoft.ML.Tokenizers;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class BytePairEncoderTests
{
    private static readonly string VocabularyPath = Path.Combine(TokenizerGolden.ModelFolder, "tiktoken.model");
    private static readonly Vocabulary Ranks = VocabularyReader.Read(VocabularyPath);

    [Fact]
    public void Encode_AnyPiece_MatchesMicrosoftMLTokenizers()
    {
        TiktokenTokenizer oracle = TiktokenTokenizer.Create(VocabularyPath, new WholeTextPreTokenizer(), normalizer: null);
        Gen<string> piece = Gen.Choose(0, Ranks.Count - 1).Select(rank => Encoding.UTF8.GetString(Ranks[rank]))
            .NonEmptyListOf().Select(string.Concat);

        // One encoder for all pieces: what a long piece leaves in its memory must not reach the next.
        BytePairEncoder encoder = new(Ranks);
        Prop.ForAll(piece.ToArbitrary(), text =>
        {
            List<int> ids = [];

            encoder.Encode(text, ids);

            Assert.Equal(oracle.EncodeToIds(text), ids);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    [Fact]
    public void Encode_EveryTokenThatIsText_IsThatToken()
    {
        BytePairEncoder encoder = new(Ranks);
        for (int rank = 0; rank < Ranks.Count; rank++)
        {
            string text = Encoding.UTF8.GetString(Ranks[rank]);
            if (Encoding.UTF8.GetBytes(text).AsSpan().SequenceEqual(Ranks[rank]))
            {
                List<int> ids = [];

                encoder.Encode(text, ids);

                Assert.Equal([rank], ids);
            }
        }
    }

    [Theory]
    [InlineData("aaa", new[] { 256, 97 })] // leftmost on ties
    [InlineData("xyz", new[] { 120, 257 })] // the lowest rank, not the leftmost pair
    [InlineData("uvw", new[] { 259 })] // a whole piece is looked up first, though no merge leads there
    [InlineData("uvwu", new[] { 117, 118, 119, 117 })]
    public void Encode_SmallVocabulary_MergesByRankThenPosition(string piece, int[] expected)
    {
        Vocabulary vocabulary = new(maxCount: 260, maxBytes: 1024);
        for (int value = 0; value < 256; value++)
        {
            vocabulary.TryAdd([(byte)value]);
        }

        Assert.All<byte[]>(["aa"u8.ToArray(), "yz"u8.ToArray(), "xy"u8.ToArray(), "uvw"u8.ToArray()],
            token => Assert.True(vocabulary.TryAdd(token)));
        List<int> ids = [];

        new BytePairEncoder(vocabulary).Encode(piece, ids);

        Assert.Equal(expected, ids);
    }

    private sealed class WholeTextPreTokenizer : PreTokenizer
    {
        public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => [(0, text.Length)];

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => [(0, text.Length)];
    }
}
