# Runs as root of namespaces of its own ('unshare'): builds a small root folder, moves into it and gives up all rights.
# $1: an empty folder; then Python's folders; then --; then the command.
set -e
root=$1
shift
mount -t tmpfs -o size=64m,mode=755,nosuid,nodev sandbox "$root"
cd "$root"
# Shows a folder of the system, read-only, under its own name.
show() {
  mkdir -p ".$1"
  mount --bind "$1" ".$1"
  mount -o remount,bind,ro,nosuid,nodev ".$1"
}
for folder in /usr /bin /sbin /lib /lib32 /lib64; do
  if [ -L "$folder" ]; then
    ln -s "$(readlink "$folder")" ".$folder"
  elif [ -d "$folder" ]; then
    show "$folder"
  fi
done
while [ "$1" != -- ]; do
  # It may lie within /usr.
  [ -e ".$1" ] || show "$1"
  shift
done
shift
mkdir -p dev proc tmp old
chmod 1777 tmp
for device in null zero urandom random; do
  : > "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
# Not writable: the system's settings in it belong to root, whom a caller who is root still is.
mount -t proc -o ro,nosuid,nodev,noexec proc proc
pivot_root . old
cd /tmp
umount -l /old
rmdir /old
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
