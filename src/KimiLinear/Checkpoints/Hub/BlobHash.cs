using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KimiLinear.Checkpoints;

/// <summary>The hash of a file's content as the hub counts it: sha256, or the sha1 by which git names a blob.</summary>
internal sealed class BlobHash : IDisposable
{
    private const int Sha1Digits = 40;
    private const int Sha256Digits = 64;
    private const int BufferBytes = 1 << 20;

    private readonly IncrementalHash _hash;
    private readonly string _expected;
    private readonly long _size;

    /// <summary>Begins a hash.</summary>
    /// <param name="expected">What it must be; its length says which it is.</param>
    /// <param name="size">The bytes of the whole content, which git's hash begins with.</param>
    public BlobHash(string expected, long size)
    {
        _expected = expected;
        _size = size;
        _hash = IncrementalHash.CreateHash(IsSha256 ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA1);
        AppendHeader();
    }

    private bool IsSha256 => _expected.Length == Sha256Digits;

    /// <summary>Tells whether a text is such a hash.</summary>
    public static bool IsHash([NotNullWhen(true)] string? text) =>
        text?.Length is Sha1Digits or Sha256Digits && text.All(char.IsAsciiHexDigitLower);

    public void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);

    /// <summary>Appends what is left of a stream.</summary>
    public async Task AppendAsync(Stream stream, Action<int>? appended, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[BufferBytes];
        int count;
        while ((count = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            _hash.AppendData(buffer, 0, count);
            appended?.Invoke(count);
        }
    }

    /// <summary>Compares what was appended, and begins anew.</summary>
    public bool MatchesAndRestart()
    {
        bool matches = Convert.ToHexStringLower(_hash.GetHashAndReset()) == _expected;
        AppendHeader();
        return matches;
    }

    public void Dispose() => _hash.Dispose();

    private void AppendHeader()
    {
        if (!IsSha256)
        {
            _hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {_size}\0")));
        }
    }
}
